"""Code concerned with having no data: why there is none, in four ways that must not be mistaken for each other."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dash import html
from dash.development.base_component import Component

from dashboards import words
from dashboards.parts import Tone, icon, marked


def no_sensor(what: str = "Nothing is measured here yet.") -> Component:
    """There is nothing that could have measured."""
    return _empty("no-sensor", "nowhere", "quiet", "No sensor here", what)


def silent(since: datetime | None, now: datetime, zone: ZoneInfo) -> Component:
    """There is a sensor, but it says nothing."""
    if since is None:
        return _empty(
            "silent", "silent", "warning", "Never heard", "The sensor is registered, but no reading has arrived."
        )
    when = f"Silent since {words.clock(since, zone, now=now)}"
    return _empty("silent", "silent", "warning", when, f"The last reading is {words.age(now - since)} old.")


def withheld(reason: str) -> Component:
    """There is a value, and it is not published."""
    return _empty("withheld", "private", "info", "Withheld for privacy", reason)


def failed(reason: str) -> Component:
    """It is not known whether there is anything, because asking failed."""
    return _empty("failed", "failed", "critical", "This could not be read", f"{reason}. It is tried again by itself.")


def not_yet(what: str, why: str) -> Component:
    """Something that will come by itself, such as a first forecast."""
    return _empty("not-yet", "waiting", "quiet", what, why)


def silence_limit(step_seconds: int) -> timedelta:
    """How long ago the newest interval may have begun before its sensor is silent: three steps, at least 15 minutes."""
    return max(timedelta(seconds=3 * step_seconds), timedelta(minutes=15))


def _empty(state: str, sign: str, tone: Tone, title: str, text: str) -> Component:
    empty = html.Div([icon(sign), html.Strong(title), html.P(text)], className=f"empty tone-{tone}", role="status")
    return marked(empty, data_state=state)
