"""Code concerned with the page Now: is anything wrong in the city right now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dash
from dash import Dash, Input, Output, Patch, State, dcc, html
from dash.development.base_component import Component

from dashboards import address, ahead, badges, emptiness, words
from dashboards.address import View
from dashboards.alerts import SEVERITIES, Alert, Severity
from dashboards.context import City, threaded
from dashboards.figures import city_map
from dashboards.figures.spark import spark
from dashboards.glance import Figure, Glance, read_glance
from dashboards.marks import congestion_legend, marks_of, patch_marks, patch_theme
from dashboards.parts import Content, Tone, card, icon, map_part, page_title, strip, tag
from dashboards.theme import MAP_CONFIG, Scheme, scheme_of
from services.errors import UnavailableError
from services.storage import overview

_NAMES: dict[Severity, tuple[str, str, str]] = {
    "critical": ("Critical", "critical", "critical"),
    "warning": ("Warning", "warning", "warnings"),
    "info": ("Notice", "notice", "notices"),
}


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    now = city.now()
    with city.reading() as connection:
        districts, layers = overview.districts(connection), overview.layer_names(connection)
        marks = marks_of(overview.sensors_now(connection, now), now, city.zone)
    figure = city_map.city_map(districts, layers, marks, None, scheme, revision="now", size=view.map_size(0.56, 470))
    graph = dcc.Graph(id="now-map", figure=figure, config=MAP_CONFIG, style={"height": "100%"}, responsive=True)
    empty = None if marks or districts else emptiness.no_sensor()
    drawn = map_part(graph, "Map of all traffic detectors by speed", tall=False, empty=empty)
    to_map = dcc.Link("Open the map", href=address.link("map", view))
    return html.Div(
        [
            page_title("Now", "Is anything wrong in the city right now?", html.Div(id="now-counts", className="tags")),
            html.Div(id="now-keys", className="keys"),
            html.Div(
                [
                    html.Div(
                        [
                            card("Needs attention", html.Div(id="now-alerts"), privacy=badges.sensors(view)),
                            card("What comes next", html.Div(id="now-ahead"), privacy=badges.sensors(view)),
                        ],
                        className="stack first-grows span-5",
                    ),
                    html.Div(
                        [
                            card(
                                "Traffic",
                                drawn,
                                congestion_legend(scheme),
                                note=to_map,
                                privacy=badges.sensors(view),
                            ),
                            card(
                                "Arriving messages",
                                html.Div(id="now-ingest"),
                                note="Since ingest first started",
                                privacy=badges.counters(view),
                            ),
                        ],
                        className="stack span-7",
                    ),
                ],
                className="grid stretch",
            ),
            dcc.Store(id="now-drawn", data=scheme),
        ],
        style={"display": "contents"},
    )


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""

    @app.callback(
        [Output(f"now-{part}", "children") for part in ("keys", "alerts", "counts", "ingest", "ahead")],
        Input("version", "data"),
        State("url", "search"),
    )
    @threaded
    def refresh(_version: Any, search: str) -> Any:
        try:
            glance = read_glance(city)
        except UnavailableError as error:
            shown = emptiness.failed(str(error))
            return [shown, shown, [], shown, shown]
        view = address.read_view(search)
        return [
            key_figures(glance, city, view),
            alert_list(glance, view),
            alert_counts(glance.alerts),
            ingest_health(glance, city),
            ahead.outlook(
                glance.jams, glance.worst, glance.whole, glance.upkeep.forecasts, view=view, city=city, now=glance.now
            ),
        ]

    @app.callback(
        [Output("now-map", "figure"), Output("now-drawn", "data")],
        Input("version", "data"),
        Input("scheme", "data"),
        State("now-drawn", "data"),
        prevent_initial_call=True,
    )
    @threaded
    def redraw(_version: Any, scheme: str, drawn: str) -> Any:
        now = city.now()
        try:
            with city.reading() as connection:
                marks = marks_of(overview.sensors_now(connection, now), now, city.zone)
                layers = overview.layer_names(connection)
        except UnavailableError:
            return [dash.no_update, dash.no_update]
        patch = Patch()
        patch_marks(patch, marks, scheme_of(scheme))
        if scheme != drawn:
            patch_theme(patch, layers, scheme_of(scheme))
        return [patch, scheme]


def key_figures(glance: Glance, city: City, view: View) -> list[Component]:
    """The cards of the first row."""
    load, unit = words.power(glance.load.now)
    peak = []
    if glance.peak is not None:
        value, peak_unit = words.power(glance.peak.power_kw)
        clock = words.clock(glance.peak.at, city.zone, now=glance.now)
        peak = [" · peak ", html.B(f"{value} {peak_unit}"), f" about {clock}"]
    live = glance.sensors - glance.silent
    ratio = None if glance.speed.now is None else 100 * glance.speed.now
    figures: list[tuple[str, str, str, Content, Figure | None]] = [
        ("Speed, share of free flow", words.number(ratio), "%", _compared(glance.speed), glance.speed),
        ("Flow per detector", words.number(glance.flow.now), "veh/h", _compared(glance.flow), glance.flow),
        ("Load of all feeders", load, unit, [*_compared(glance.load, short=bool(peak)), *peak], glance.load),
        ("Sensors live", f"{words.number(live)}", f"of {words.number(glance.sensors)}", _silence(glance), None),
    ]
    return [_key(*figure, badges.sensors(view, small=True)) for figure in figures]


def alert_list(glance: Glance, view: View) -> Component:
    """The alerts with sign, words and a way to the sensor; without any, only what is known to be well is said to be."""
    if glance.alerts:
        return html.Ul([_alert(alert, view) for alert in glance.alerts[:60]], className="alerts", tabIndex=0)
    if not glance.sensors:
        return emptiness.not_yet(
            "Nothing has been measured yet",
            "A device is registered with its first reading, on city/v1/<kind>/<sensor>/telemetry or in a dialect of its maker.",
        )
    well = "No congestion, overload, silence or implausible values."
    if glance.upkeep.forecasts is not None:
        well += " Messages arrive, forecasts are current."
    return html.Div(
        [icon("good"), html.Strong("Nothing needs attention"), html.P(well)], className="empty tone-good", role="status"
    )


def alert_counts(alerts: Sequence[Alert]) -> list[Component]:
    """How many alerts of each severity."""
    counts = {severity: sum(alert.severity == severity for alert in alerts) for severity in SEVERITIES}
    return [
        tag(f"{count} {_NAMES[severity][1 if count == 1 else 2]}", severity, severity)
        for severity, count in counts.items()
        if count
    ]


def ingest_health(glance: Glance, city: City) -> Component:
    """What became of every message received."""
    totals = glance.ingest
    if totals.seen_at is None:
        return emptiness.not_yet("No messages yet", "The figures appear once a device has published something.")
    facts: list[tuple[str, Content]] = [
        ("Received", words.number(totals.received)),
        ("Stored", words.number(totals.stored)),
        ("Duplicates", words.number(totals.duplicate)),
        ("Dead-lettered", words.number(totals.dead_lettered)),
        ("Waiting", words.number(totals.spooled + totals.in_flight)),
        ("Last seen", _last_seen(totals.seen_at, glance, city)),
    ]
    return strip(facts)


def _last_seen(seen_at: datetime, glance: Glance, city: City) -> Content:
    clock = words.clock(seen_at, city.zone, now=glance.now)
    if glance.upkeep.stopped_at(glance.now) is None:
        return clock
    return tag(f"{clock}, {words.age(glance.now - seen_at)} ago", "critical", "critical")


def _key(name: str, value: str, unit: str, note: Content, figure: Figure | None, badge: Component) -> Component:
    tail = [spark(figure.day)] if figure is not None else []
    return html.Section(
        [
            html.Div([html.H2(name), badge], className="key-name"),
            html.Div([value, html.Small(unit)], className="key-value"),
            html.Div(note, className="key-change"),
            *tail,
        ],
        className="card key",
    )


def _compared(figure: Figure, *, short: bool = False) -> list[Content]:
    _, text = words.change(figure.now, figure.before)
    return [html.B(text), " vs. last week" if short else " vs. same time last week"]


def _silence(glance: Glance) -> list[Content]:
    if not glance.sensors:
        return ["None registered yet"]
    tone: Tone = "warning" if glance.silent else "good"
    return [
        tag(f"{glance.silent} silent" if glance.silent else "All sending", tone, "silent" if glance.silent else "good")
    ]


def _alert(alert: Alert, view: View) -> Component:
    word = _NAMES[alert.severity][0]
    title: Content = alert.title
    if alert.sensor:
        title = dcc.Link(alert.title, href=address.link("forecast", view, sensor=alert.sensor))
    return html.Li(
        [
            icon(alert.severity),
            html.Div([html.Div(title, className="alert-title"), html.Div(alert.text, className="alert-text")]),
            html.Div([html.Span(word, className="unseen"), tag(word, alert.severity)]),
        ],
        className=f"alert tone-{alert.severity}",
    )
