"""Code concerned with privacy badges: on every panel, what kind of data it shows, with the way to the page that explains it."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from dashboards import address
from dashboards.address import View
from dashboards.parts import icon
from services.storage.releases import Release


def sensors(view: View, *, small: bool = False) -> Component:
    """The panel shows readings or forecasts of fixed sensors; a small badge shows its sign, and says the words when asked."""
    return _badge("Sensor data, not personal", "good", "good", view, small=small)


def counters(view: View) -> Component:
    """The panel shows how many messages there were, of all kinds together."""
    return _badge("Message counters, not personal", "good", "good", view)


def records(view: View) -> Component:
    """The panel shows what the platform did itself."""
    return _badge("Records of the platform, not personal", "good", "good", view)


def released(release: Release | None, view: View) -> Component:
    """The panel shows aggregates that were released with differential privacy."""
    if release is None:
        return _badge("Private aggregates, nothing released yet", "info", "private", view)
    r = release
    text = f"Private aggregate, ε {r.epsilon:g} per day, threshold {r.threshold}, plan {r.plan} v{r.plan_version}"
    return _badge(text, "info", "private", view)


def _badge(text: str, tone: str, sign: str, view: View, *, small: bool = False) -> Component:
    words = html.Span(text, className="unseen" if small else "")
    link = dcc.Link([icon(sign), words], href=address.link("privacy", view), title=text if small else None)
    return html.Span(link, className=f"badge tone-{tone}" + (" small" if small else ""))
