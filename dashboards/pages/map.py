"""Code concerned with the page Map: where, at any quarter hour from a day ago to a day ahead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import dash
import dash_mantine_components as dmc
from dash import Dash, Input, Output, Patch, State, dcc, html
from dash.development.base_component import Component

from dashboards import address, badges, emptiness, words
from dashboards.address import View
from dashboards.context import City, in_browser, threaded
from dashboards.figures import city_map
from dashboards.frame import control
from dashboards.frames import REACH, Frame, read_frame
from dashboards.jams import POSSIBLE, summary
from dashboards.marks import congestion_legend, frame_marks, patch_marks, patch_theme, state_text
from dashboards.parts import Content, card, icon, map_part, page_title, table, tag
from dashboards.surfaces import SURFACES, read_surface, surface_legend
from dashboards.theme import CONGESTION_NAMES, MAP_CONFIG, Scheme, scheme_of
from models.congestion import Congestion
from services.domain import from_us
from services.errors import UnavailableError
from services.storage import overview, releases
from services.storage.database import Connection
from services.storage.overview import SensorNow
from services.storage.releases import Release

_TONES: Final = ("critical", "warning", "quiet", "info")
_SLIDER: Final = control("t", "0")
_RELEASED: Final = timedelta(days=30)


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    with city.reading() as connection:
        frame = read_frame(connection, city, _offset(view))
        districts, layers = overview.districts(connection), overview.layer_names(connection)
        surface = read_surface(connection, city, frame, districts, _surface(view))
    marks = frame_marks(frame, city.zone, view.text("sensor"))
    figure = city_map.city_map(districts, layers, marks, surface, scheme, revision="map", size=view.map_size(0.64, 560))
    graph = dcc.Graph(id="map", figure=figure, config=MAP_CONFIG, style={"height": "100%"}, responsive=True)
    empty = None if marks or districts else emptiness.no_sensor()
    drawn = map_part(graph, "Map of the city; the list has the same data", empty=empty)
    choice = dmc.SegmentedControl(
        id=control("surface", "none"),
        value=_surface(view),
        size="xs",
        data=[{"value": name, "label": label} for name, label in SURFACES.items()],
        **{"aria-label": "Colour districts by"},
    )
    return html.Div(
        [
            page_title("Map", "Where? Drag the time from a day ago to a day ahead."),
            html.Div(
                [
                    card(
                        None,
                        html.Div(
                            [html.Span("Districts by", className="card-note"), choice], className="controls tight"
                        ),
                        drawn,
                        _timeline(view, scheme),
                        html.Div(id="map-legend"),
                        span=8,
                    ),
                    html.Div(
                        [
                            html.Div(id="map-chosen"),
                            card(
                                "Detectors",
                                html.Div(id="map-list"),
                                note=html.Span(id="map-when"),
                                privacy=badges.sensors(view),
                            ),
                        ],
                        className="stack span-4",
                    ),
                ],
                className="grid",
            ),
        ],
        style={"display": "contents"},
    )


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""
    in_browser(
        app,
        "play",
        [Output("play", "disabled"), Output("play-sign", "className"), Output("play-word", "children")],
        Input("play-button", "n_clicks"),
        State("play", "disabled"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "step",
        Output(_SLIDER, "value"),
        Input("play", "n_intervals"),
        [State(_SLIDER, name) for name in ("value", "min", "max")],
        prevent_initial_call=True,
    )
    in_browser(app, "pick", Output("map-picked", "data"), Input("map", "clickData"), prevent_initial_call=True)

    @app.callback(
        [
            Output("map", "figure"),
            Output("map-list", "children"),
            Output("map-chosen", "children"),
            Output("map-when", "children"),
            Output("map-time", "children"),
            Output("map-legend", "children"),
            Output("map-drawn", "data"),
        ],
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
        State("map-drawn", "data"),
    )
    @threaded
    def redraw(search: str, _version: Any, scheme_name: str, drawn: str) -> Any:
        view, scheme = address.read_view(search), scheme_of(scheme_name)
        try:
            with city.reading() as connection:
                frame = read_frame(connection, city, _offset(view))
                districts, layers = overview.districts(connection), overview.layer_names(connection)
                surface = read_surface(connection, city, frame, districts, _surface(view))
                shown = [badges.sensors(view)]
                if _surface(view) == "mobility":
                    shown.append(badges.released(_newest_release(connection, city), view))
        except UnavailableError as error:
            return [dash.no_update, emptiness.failed(str(error)), *[dash.no_update] * 5]
        patch = Patch()
        patch_marks(patch, frame_marks(frame, city.zone, view.text("sensor")), scheme)
        if scheme != drawn:
            patch_theme(patch, layers, scheme)
        for name, value in city_map.surface_update(districts, surface, scheme).items():
            patch["data"][city_map.SURFACE][name] = value
        when = _when(frame, city)
        legend = [congestion_legend(scheme, ahead=frame.forecast), *surface_legend(_surface(view), surface, scheme)]
        legend.append(html.P(summary(frame.jams), className="card-note"))
        legend.append(html.Div(shown, className="tags card-foot"))
        return [patch, _list(frame, view), _chosen(frame, view, city), when, when, legend, scheme]


def _newest_release(connection: Connection, city: City) -> Release | None:
    today = city.now().astimezone(city.zone).date()
    known = releases.releases(connection, first_day=today - _RELEASED, last_day=today, plan="presence")
    return next(iter(known), None)


def _offset(view: View) -> int:
    return view.number("t", 0, -REACH, REACH)


def _surface(view: View) -> str:
    return view.choice("surface", tuple(SURFACES), "none")


def _when(frame: Frame, city: City) -> Content:
    if frame.offset == 0:
        return tag("Now, newest readings", "good", "good")
    moment = words.clock(frame.moment, city.zone, now=city.now())
    if frame.forecast:
        return tag(f"{moment} · forecast", "info", "forecast")
    return tag(f"{moment} · as measured", "quiet", "waiting")


def _timeline(view: View, scheme: Scheme) -> Component:
    marks = [
        {"value": hours * 4, "label": "now" if hours == 0 else f"{'+' if hours > 0 else '−'}{abs(hours)} h"}
        for hours in (-24, -12, 0, 12, 24)
    ]
    slider = dmc.Slider(
        id=_SLIDER,
        value=_offset(view),
        min=-REACH,
        max=REACH,
        step=1,
        label=None,
        marks=marks,
        size="sm",
        thumbSize=20,
        updatemode="drag",
        thumbLabel="Quarter hours from now",
    )
    button = html.Button(
        [html.Span(id="play-sign", className="icon icon-play"), html.Span("Play", id="play-word", className="unseen")],
        id="play-button",
        className="button",
        title="Play through time",
    )
    return html.Div(
        [
            button,
            slider,
            html.Div(id="map-time", className="time-label"),
            dcc.Interval(id="play", interval=1_200, disabled=True),
            dcc.Store(id="map-picked"),
            dcc.Store(id="map-drawn", data=scheme),
        ],
        className="time",
    )


def _list(frame: Frame, view: View) -> Component:
    detectors = [s for s in frame.sensors if s.kind == "traffic"]
    if not detectors:
        return emptiness.no_sensor()
    detectors.sort(key=lambda s: _seriousness(frame, s))
    rows: list[tuple[Content, Content]] = []
    for sensor in detectors:
        state, index = frame.state(sensor), frame.congestion(sensor)
        name = dcc.Link(sensor.label, href=_here(view, sensor.code))
        if index is None or state is None:
            rows.append((name, tag("No value", "quiet", "silent")))
        elif state.chances is None:
            rows.append((name, tag(f"{CONGESTION_NAMES[index]} {words.percent(frame.ratio(sensor))}", _TONES[index])))
        else:
            heavy = words.chance(state.chances[Congestion.CONGESTED])
            rows.append((name, [heavy, " ", tag(CONGESTION_NAMES[index], _TONES[index])]))
    heading = "Heavy congestion, likeliest" if frame.forecast else "Speed ÷ free flow"
    listing = table(["Detector", heading], rows, numeric=[1])
    return html.Div(listing, className="scroll tall", tabIndex=0)


def _seriousness(frame: Frame, sensor: SensorNow) -> tuple[float, float, str]:
    """Worst first: by the chance of heavy congestion where there is one, then by the speed ratio."""
    state, ratio = frame.state(sensor), frame.ratio(sensor)
    heavy = state.chances[Congestion.CONGESTED] if state is not None and state.chances is not None else 0.0
    return -heavy, 9.0 if ratio is None else ratio, sensor.code


def _here(view: View, sensor: str) -> str:
    kept = {name: view.params[name] for name in ("t", "surface") if name in view.params}
    return address.link("map", view, **kept, sensor=sensor)


def _chosen(frame: Frame, view: View, city: City) -> Content:
    code = view.text("sensor")
    if not code:
        return None
    sensor = next((s for s in frame.sensors if s.code == code), None)
    if sensor is None:
        return card("Detector", emptiness.no_sensor(f"There is no sensor {code}."))
    body: Content
    state = frame.state(sensor)
    if state is None and frame.offset == 0:
        body = emptiness.silent(sensor.observed_at, city.now(), city.zone)
    elif state is None:
        body = html.P("No value at this time.", className="muted")
    elif sensor.kind == "traffic":
        body = html.P(state_text(state, frame.ratio(sensor)))
    else:
        body = html.P(f"{words.number(state.power_kw)} kW")
    jam = frame.jams.get(sensor.id)
    ahead = None
    if jam is not None:
        when = f", most about {words.clock(from_us(jam.at_us), city.zone, now=city.now())}"
        ahead = html.P(
            [
                "Heavy congestion within the next hour: ",
                html.B(words.chance(jam.chance)),
                when if jam.chance >= POSSIBLE else "",
            ],
            className="muted",
        )
    return card(
        sensor.label,
        body,
        ahead,
        html.Div(
            [
                dcc.Link(
                    ["Open forecast ", icon("arrow")],
                    href=address.link("forecast", view, sensor=sensor.code),
                    className="button",
                ),
                html.Span(_facts(sensor), className="card-note"),
            ],
            className="controls spaced",
        ),
        note=sensor.code,
        privacy=badges.sensors(view),
    )


def _facts(sensor: SensorNow) -> str:
    facts = [sensor.road or "", f"free flow {words.number(sensor.free_flow_kmh)} km/h" if sensor.free_flow_kmh else ""]
    return " · ".join(fact for fact in facts if fact)
