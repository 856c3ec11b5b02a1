"""Code concerned with what surrounds every page: navigation, header, controls, and what ticks."""

from __future__ import annotations

from datetime import datetime

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboards import address, words
from dashboards.address import View
from dashboards.context import City
from dashboards.parts import icon, marked
from dashboards.theme import FONT

LINKS = (
    ("", "Now", "now"),
    ("map", "Map", "map"),
    ("forecast", "Forecast", "forecast"),
    ("energy", "Energy", "energy"),
    ("mobility", "Mobility", "mobility"),
    ("privacy", "Privacy", "private"),
)


def control(name: str, default: str) -> dict[str, str]:
    """The id of a control that the address line remembers as `name`, left out while it equals `default`."""
    return {"type": "control", "name": name, "default": default}


def frame(city: City) -> Component:
    """The whole document around the page."""
    part: Component = dmc.MantineProvider(
        id="mantine",
        defaultColorScheme="auto",
        theme={"fontFamily": FONT, "primaryColor": "blue", "defaultRadius": "md", "respectReducedMotion": True},
        children=html.Div(
            [
                html.A("Skip to content", href="#page", className="skip"),
                marked(html.Nav(id="nav", className="nav", children=navigation("", View())), aria_label="Pages"),
                html.Div([_header(city), html.Main(id="page", className="page", tabIndex=-1)]),
                *_machinery(),
            ],
            className="frame",
        ),
    )
    return part


def navigation(page: str, view: View) -> list[Component]:
    """The links, keeping range, refresh and theme."""
    items = []
    for path, text, sign in LINKS:
        entry = html.Li(dcc.Link([icon(sign), html.Span(text)], href=address.link(path, view), className="nav-link"))
        items.append(marked(entry, aria_current="page") if path == page else entry)
    brand = html.Div([html.Span(icon("mark"), className="mark"), "Arterial"], className="brand")
    foot = html.Div(
        [html.A("API documentation", href="/docs"), html.Span("Open source, Apache-2.0")], className="nav-foot"
    )
    return [brand, html.Ul(items), foot]


def _header(city: City) -> Component:
    return html.Header(
        [
            html.Div(
                [
                    html.Strong(city.settings.city_name),
                    html.Span(id="zone", children=f"Times in {words.zone_note(city.zone, city.now())}"),
                ],
                className="head-city",
            ),
            html.Div(
                [
                    html.Div(
                        [
                            dmc.SegmentedControl(
                                id=control("range", address.DEFAULT_RANGE),
                                value=address.DEFAULT_RANGE,
                                size="xs",
                                data=[{"value": name, "label": _spaced(name)} for name in address.RANGES],
                                **{"aria-label": "Time range"},
                            ),
                            _custom_range(),
                        ],
                        id="range",
                        className="head-range",
                    ),
                    _choice("refresh", "Refresh", address.DEFAULT_REFRESH, list(address.REFRESHES.items()), 92),
                    _choice("theme", "Theme", "auto", [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")], 84),
                    marked(html.Span(id="age", className="age", role="timer"), data_level="none"),
                ],
                className="head-controls",
            ),
        ],
        className="head",
    )


def _choice(name: str, label: str, default: str, options: list[tuple[str, str]], width: int) -> Component:
    part: Component = dmc.Select(
        id=control(name, default),
        value=default,
        data=[{"value": value, "label": text} for value, text in options],
        size="xs",
        w=width,
        allowDeselect=False,
        comboboxProps={"shadow": "md"},
        **{"aria-label": label},
    )
    return part


def _custom_range() -> Component:
    part: Component = dmc.Popover(
        [
            dmc.PopoverTarget(
                html.Button(
                    [icon("calendar"), html.Span("Custom time range", className="unseen")],
                    id="range-open",
                    className="button",
                    title="Custom time range",
                    style={"minHeight": "30px", "minWidth": "34px", "padding": "0 8px"},
                )
            ),
            dmc.PopoverDropdown(
                html.Div(
                    [
                        dmc.DateTimePicker(
                            id="range-from", label="From", size="xs", w=200, valueFormat="D MMM YYYY HH:mm"
                        ),
                        dmc.DateTimePicker(id="range-to", label="To", size="xs", w=200, valueFormat="D MMM YYYY HH:mm"),
                        html.Button("Show this range", id="range-apply", className="button"),
                        html.Span("On the city's clock.", className="card-note"),
                    ],
                    style={"display": "grid", "gap": "8px"},
                )
            ),
        ],
        position="bottom-end",
        shadow="md",
        withArrow=True,
    )
    return part


def _machinery() -> list[Component]:
    """What has no looks: the address, the clocks, and what the server last said."""
    return [
        dcc.Location(id="url", refresh="callback-nav"),
        dcc.Interval(id="tick", interval=30_000),
        dcc.Interval(id="second", interval=1_000),
        *(
            dcc.Store(id=name)
            for name in ("route", "scheme", "system", "seen", "version", "go", "sink", "sink2", "sink3")
        ),
    ]


def custom_search(start: str | None, end: str | None, city: City) -> dict[str, str] | None:
    """The address parameters of two moments on the city's clock; None when they make no range."""
    if not start or not end:
        return None
    moments = [datetime.fromisoformat(text).replace(tzinfo=city.zone) for text in (start, end)]
    if moments[0] >= moments[1]:
        return None
    return {"from": moments[0].isoformat(), "to": moments[1].isoformat()}


def _spaced(name: str) -> str:
    return f"{name[:-1]} {name[-1]}"
