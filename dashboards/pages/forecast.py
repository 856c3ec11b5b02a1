"""Code concerned with the page Forecast: what will one sensor measure, and how sure is that?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dash_mantine_components as dmc
import numpy as np
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from dashboards import address, badges, emptiness, words
from dashboards.accuracy import accuracy
from dashboards.address import View
from dashboards.context import City, threaded
from dashboards.emptiness import silence_limit
from dashboards.figures.band import BANDS, Line, Outlook, band_chart
from dashboards.frame import control
from dashboards.jams import LIKELY, Jam, read_next_hour
from dashboards.parts import Content, Tone, card, chart, legend, page_title, table, tag
from dashboards.theme import PALETTES, Scheme, scheme_of
from services.domain import ForecastState, from_us, to_us
from services.errors import UnavailableError
from services.storage import forecasts, overview
from services.storage.forecasts import SeriesForecast
from services.storage.overview import SensorNow
from services.storage.scorecard import ScoreRow, scorecard

QUANTITIES: Final = {
    "traffic": {"flow_vph": ("Flow", "veh/h"), "speed_kmh": ("Speed", "km/h")},
    "energy": {"power_kw": ("Power", "kW")},
}
_STATES: Final[dict[ForecastState, tuple[str, Tone, str, str]]] = {
    ForecastState.NORMAL: ("Normal", "good", "good", "The chosen model on current data."),
    ForecastState.DEGRADED: ("Degraded", "warning", "warning", "A simpler model, or patched input."),
    ForecastState.STALE: ("Stale", "critical", "silent", "The sensor is silent; do not rely on this."),
}
_WEEK: Final = timedelta(days=7)
_SCORED: Final = timedelta(days=14)
_EARLIER: Final = timedelta(days=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Everything the page says about one quantity of one sensor."""

    now: datetime
    sensor: SensorNow
    quantity: str
    past: Line
    last_week: Line
    forecast: SeriesForecast | None
    scores: list[ScoreRow]
    jam: Jam | None = None


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    del scheme
    now = city.now()
    with city.reading() as connection:
        sensors = [s for s in overview.sensors_now(connection, now) if s.kind in QUANTITIES]
        runs = forecasts.runs(connection, since=now - _EARLIER, limit=96)
    chosen = _chosen(sensors, view)
    options = [
        {
            "group": group,
            "items": [{"value": s.code, "label": f"{s.label} · {s.code}"} for s in sensors if s.kind == kind],
        }
        for kind, group in (("traffic", "Traffic detectors"), ("energy", "Energy feeders"))
    ]
    issues = sorted({run.issued_at for run in runs if chosen is not None and run.kind == chosen.kind}, reverse=True)
    wide = {"size": "sm", "allowDeselect": False, "comboboxProps": {"shadow": "md"}, "maxDropdownHeight": 320}
    return html.Div(
        [
            page_title("Forecast", "What will happen at one sensor, and how sure is that?"),
            html.Div(
                [
                    dmc.Select(
                        id=control("sensor", ""), label="Sensor", value=chosen.code if chosen else None, data=options,
                        searchable=True, nothingFoundMessage="No such sensor", className="wide", **wide,
                    ),
                    dmc.Select(
                        id=control("quantity", ""), label="Quantity", w=120,
                        value=_quantity(chosen, view) if chosen else None,
                        data=[
                            {"value": name, "label": label}
                            for name, (label, _) in (QUANTITIES[chosen.kind] if chosen else {}).items()
                        ],
                        **wide,
                    ),
                    dmc.Select(
                        id=control("issued", "latest"), label="As issued", w=190, value=view.text("issued", "latest"),
                        data=[
                            {"value": "latest", "label": "Latest"},
                            *({"value": i.isoformat(), "label": words.clock(i, city.zone, now=now)} for i in issues),
                        ],
                        **wide,
                    ),
                ],
                className="card controls",
            ),
            html.Div(id="forecast-body", style={"display": "contents"}),
        ],
        style={"display": "contents"},
    )  # fmt: skip


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""

    @app.callback(
        Output("forecast-body", "children"),
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
    )
    @threaded
    def redraw(search: str, _version: Any, scheme: str) -> Any:
        view = address.read_view(search)
        try:
            shown = _read(city, view)
        except UnavailableError as error:
            return card("Forecast", emptiness.failed(str(error)))
        if shown is None:
            unknown = view.text("sensor")
            text = f"There is no sensor {unknown}." if unknown else "No sensor is registered yet."
            return card("Forecast", emptiness.no_sensor(text))
        return body(shown, city, scheme_of(scheme), badges.sensors(view))

    @app.callback(Output(control("quantity", ""), "data"), Input("url", "search"), prevent_initial_call=True)
    @threaded
    def quantities(search: str) -> Any:
        with city.reading() as connection:
            chosen = _chosen(overview.sensors_now(connection, city.now()), address.read_view(search))
        known = QUANTITIES.get(chosen.kind, {}) if chosen else {}
        return [{"value": name, "label": label} for name, (label, _) in known.items()]


def body(shown: Shown, city: City, scheme: Scheme, badge: Component) -> list[Component]:
    """Chart with badges, then accuracy."""
    name, unit = QUANTITIES[shown.sensor.kind][shown.quantity]
    facts = _facts(shown, city)
    drawn: Content
    names: list[tuple[str, str, str]] = []
    if shown.forecast is None and not len(shown.past.at_us):
        drawn = emptiness.silent(shown.sensor.observed_at, shown.now, city.zone)
    else:
        figure = band_chart(
            shown.past,
            _outlook(shown.forecast),
            last_week=shown.last_week,
            limit=shown.sensor.limit_kw if shown.quantity == "power_kw" else None,
            unit=unit,
            quantity=name,
            zone=city.zone,
            zone_note=words.zone_note(city.zone, shown.now),
            scheme=scheme,
            revision=f"{shown.sensor.code}/{shown.quantity}",
        )
        palette = PALETTES[scheme]
        names = [("line", palette.past, "Measured"), ("dots", palette.naive, "Same time last week")]
        if shown.forecast is not None:
            names.append(("line", palette.accent, "Forecast, median"))
            shades = ("50%", "32%", "16%")
            names += [
                ("area", f"color-mix(in srgb, {palette.accent} {shade}, transparent)", name)
                for shade, (_, _, name) in zip(shades, reversed(BANDS), strict=True)
            ]
        drawn = chart(figure, _summary(shown, name, unit, city), table=_values(shown, city), height=400)
    age = shown.now - shown.sensor.observed_at if shown.sensor.observed_at else None
    quiet = age is None or age > silence_limit(shown.sensor.step_seconds)
    note = emptiness.silent(shown.sensor.observed_at, shown.now, city.zone) if quiet and len(shown.past.at_us) else None
    return [
        card(
            f"{name} at {shown.sensor.label}",
            html.Div(facts, className="tags below"),
            legend(names),
            note,
            drawn,
            privacy=badge,
        ),
        card(
            "How good have these forecasts been?",
            accuracy(shown.scores, unit),
            note="Last 14 days, by lead time",
            privacy=badge,
        ),
    ]


def _read(city: City, view: View) -> Shown | None:
    now = city.now()
    start, _ = view.window(now)
    issued = _issued(view)
    with city.reading() as connection:
        sensor = _chosen(overview.sensors_now(connection, now), view)
        if sensor is None or sensor.kind not in QUANTITIES:
            return None
        quantity = _quantity(sensor, view)
        found = forecasts.latest(connection, sensors=[sensor.code], quantity=quantity, issued_before=issued or now)
        forecast = found[0] if found else None
        begin = min(start, forecast.issued_at - timedelta(hours=3)) if forecast else start
        end = forecast.target_at[-1] if forecast else now
        past = overview.sensor_series(connection, sensor.id, quantity, begin, now)
        before = overview.sensor_series(
            connection, sensor.id, quantity, (forecast.issued_at if forecast else begin) - _WEEK, end - _WEEK
        )
        scores = scorecard(connection, sensors=[sensor.code], quantity=quantity, since=(now - _SCORED).date())
        jams = read_next_hour(connection, now) if sensor.kind == "traffic" and issued is None else {}
    week_us = _WEEK // timedelta(microseconds=1)
    return Shown(
        now=now,
        sensor=sensor,
        quantity=quantity,
        past=Line(at_us=past.at_us, value=past.value),
        last_week=Line(at_us=before.at_us + week_us, value=before.value),
        forecast=forecast,
        scores=scores,
        jam=jams.get(sensor.id),
    )


def _chosen(sensors: list[SensorNow], view: View) -> SensorNow | None:
    wanted = view.text("sensor")
    if wanted:
        return next((s for s in sensors if s.code == wanted), None)
    return next((s for s in sensors if s.kind == "traffic"), sensors[0] if sensors else None)


def _quantity(sensor: SensorNow, view: View) -> str:
    known = tuple(QUANTITIES[sensor.kind])
    return view.choice("quantity", known, known[0])


def _issued(view: View) -> datetime | None:
    try:
        moment = datetime.fromisoformat(view.text("issued"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _outlook(forecast: SeriesForecast | None) -> Outlook | None:
    if forecast is None:
        return None
    return Outlook(
        issued_at=forecast.issued_at,
        target_us=np.array([to_us(target) for target in forecast.target_at], dtype=np.int64),
        quantiles=np.array(forecast.quantiles, dtype=np.float64),
    )


def _facts(shown: Shown, city: City) -> list[Content]:
    forecast = shown.forecast
    if forecast is None:
        return [tag("No forecast yet", "quiet", "waiting", "It comes with the next run, at most a quarter hour away")]
    word, tone, sign, meaning = _STATES[forecast.state]
    issued = words.clock(forecast.issued_at, city.zone, now=shown.now)
    facts: list[Content] = [tag(word, tone, sign, meaning)]
    if forecast.state is not ForecastState.NORMAL:
        facts.append(html.Span(forecast.reason or meaning, className="card-note"))
    facts.append(tag(f"Issued {issued}", "quiet", "waiting"))
    if shown.jam is not None:
        chance, tone = words.chance(shown.jam.chance), "warning" if shown.jam.chance >= LIKELY else "quiet"
        when = words.clock(from_us(shown.jam.at_us), city.zone, now=shown.now)
        facts.append(tag(f"Heavy congestion within the next hour: {chance}", tone, None, f"Most likely about {when}"))
    facts.append(_named(forecast.model))
    return facts


def _named(model: str) -> Content:
    """The model of a series, or of how many it is a blend, with their names beside it."""
    names = [one.replace("_", " ") for one in model.split("+")]
    if len(names) == 1:
        return tag(f"Model {names[0]}", "quiet")
    return tag(f"Blend of {len(names)} models", "quiet", None, ", ".join(names))


def _summary(shown: Shown, name: str, unit: str, city: City) -> str:
    measured = f"{name} at {shown.sensor.label}. "
    known = shown.past.value[np.isfinite(shown.past.value)]
    if len(known):
        measured += f"Measured last: {words.number(float(known[-1]))} {unit}. "
    if shown.forecast is None:
        return measured + "There is no forecast yet."
    medians = shown.forecast.level(0.5)
    top = int(np.argmax(medians))
    low, high = shown.forecast.level(0.05)[top], shown.forecast.level(0.95)[top]
    when = words.clock(shown.forecast.target_at[top], city.zone, now=shown.now)
    return (
        f"{measured}Forecast {_STATES[shown.forecast.state][0].lower()}, highest around {when} with "
        f"{words.number(medians[top])} {unit}, with 90 per cent between {words.number(low)} and {words.number(high)}."
    )


def _values(shown: Shown, city: City) -> Component | None:
    if shown.forecast is None:
        return None
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    columns = [shown.forecast.level(level) for level in levels]
    rows = [
        [words.clock(target, city.zone, now=shown.now), *(words.number(column[i]) for column in columns)]
        for i, target in enumerate(shown.forecast.target_at)
    ]
    headings = ["Time", *(f"{level:.0%}" for level in levels)]
    return table(headings, rows, numeric=range(1, len(headings)))
