"""Code concerned with the page Mobility: where vehicles were, as far as it can be said without telling on anyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import dash
import dash_mantine_components as dmc
from dash import Dash, Input, Output, Patch, State, dcc, html
from dash.development.base_component import Component

from dashboards import address, also_released, badges, emptiness, released_ahead, words
from dashboards.address import View
from dashboards.cell_table import cell_table
from dashboards.context import City, threaded
from dashboards.figures.cells import PUBLISHED, WITHHELD, cells_map, cells_update
from dashboards.frame import control
from dashboards.marks import patch_theme
from dashboards.parts import Content, bars, card, map_part, page_title, strip, table_view, tag
from dashboards.released_ahead import VEHICLES, ReleasedAhead
from dashboards.theme import MAP_CONFIG, PALETTES, Scheme, scheme_of
from services.errors import UnavailableError
from services.storage import ledger, overview, releases
from services.storage.ledger import Budget
from services.storage.overview import District
from services.storage.releases import PresenceCell, Release

_DAYS: Final = timedelta(days=30)
_LEDGER_DAYS: Final = timedelta(days=7)
_BUSY_HOUR: Final = "17"
_PLAN: Final = "presence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Everything the page says about one released hour."""

    now: datetime
    districts: list[District]
    layers: list[str]
    releases: list[Release]
    release: Release | None
    hour: datetime | None
    cells: list[PresenceCell]
    day: list[PresenceCell]
    budgets: list[Budget]
    also: list[also_released.Also]
    ahead: ReleasedAhead | None

    @property
    def highest(self) -> float:
        """The highest published number of the day, so that all its hours share one scale."""
        return float(max((c.vehicles for c in self.day if c.vehicles is not None), default=1))


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    shown = _read(city, view)
    days = [{"value": r.day.isoformat(), "label": r.day.strftime("%A, %-d %B %Y")} for r in shown.releases]
    figure = cells_map(shown.districts, shown.layers, shown.cells, shown.highest, scheme, size=view.map_size(0.56, 560))
    graph = dcc.Graph(id="cells", figure=figure, config=MAP_CONFIG, style={"height": "100%"}, responsive=True)
    drawn = map_part(graph, "Map of published vehicle counts per cell")
    controls = html.Div(
        [
            dmc.Select(
                id=control("day", ""), label="Released day", data=days, size="sm", allowDeselect=False, className="wide",
                value=shown.release.day.isoformat() if shown.release else None, placeholder="Nothing released yet",
            ),
            dmc.Select(
                id=control("hour", _BUSY_HOUR), label="Hour", size="sm", allowDeselect=False, w=150,
                value=str(_hour(view)), data=[{"value": str(h), "label": f"{h:02d}:00–{h + 1:02d}:00"} for h in range(24)],
            ),
        ],
        className="card controls",
    )  # fmt: skip
    return html.Div(
        [
            page_title(
                "Mobility",
                "Where were vehicles, as far as it can be said without telling on anyone?",
                html.Div(id="mobility-badge", className="tags"),
            ),
            controls,
            html.Div(
                [
                    html.Div(card(None, drawn, html.Div(id="mobility-legend", className="spaced")), className="span-7"),
                    html.Div(id="mobility-side", className="stack span-5"),
                ],
                className="grid",
            ),
            html.Div(id="mobility-ahead", style={"display": "contents"}),
            html.Div(id="mobility-also", className="cards"),
            dcc.Store(id="cells-drawn", data=scheme),
        ],
        style={"display": "contents"},
    )


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""

    @app.callback(
        [
            Output("cells", "figure"),
            Output("mobility-badge", "children"),
            Output("mobility-legend", "children"),
            Output("mobility-side", "children"),
            Output("mobility-ahead", "children"),
            Output("mobility-also", "children"),
            Output("cells-drawn", "data"),
        ],
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
        State("cells-drawn", "data"),
    )
    @threaded
    def redraw(search: str, _version: Any, scheme_name: str, drawn: str) -> Any:
        scheme = scheme_of(scheme_name)
        view = address.read_view(search)
        try:
            shown = _read(city, view)
        except UnavailableError as error:
            return [dash.no_update, [], None, card("Mobility", emptiness.failed(str(error))), [], [], drawn]
        patch = Patch()
        for trace, attributes in zip(
            (WITHHELD, PUBLISHED), cells_update(shown.cells, shown.highest, scheme), strict=True
        ):
            for name, value in attributes.items():
                if name != "marker_opacity":
                    patch["data"][trace][name] = value
        if scheme != drawn:
            patch_theme(patch, shown.layers, scheme)
            for trace in (WITHHELD, PUBLISHED):
                patch["data"][trace]["marker"]["line"]["color"] = PALETTES[scheme].outline
        return [
            patch,
            _badge(shown),
            [
                _legend(shown, scheme),
                *_table(shown, city),
                html.Footer(badges.released(shown.release, view), className="card-foot"),
            ],
            _side(shown, city, view),
            _ahead(shown, view, city, scheme),
            [*also_released.cards(shown.also, view), _ledger(shown, view), _explanation(shown.release)],
            scheme,
        ]


def _ahead(shown: Shown, view: View, city: City, scheme: Scheme) -> list[Component]:
    if shown.ahead is None:
        return []
    names = also_released.area_names([one.place for one in shown.ahead.highest], shown.districts)
    draw = partial(_drawing, view)
    return [released_ahead.panel(shown.ahead, names, draw, view=view, city=city, now=shown.now, scheme=scheme)]


def _drawing(view: View, cell: str) -> str:
    kept = {name: view.text(name) or None for name in ("day", "hour")}
    return address.link("mobility", view, cell=cell, **kept)


def _read(city: City, view: View) -> Shown:
    now = city.now()
    today = now.astimezone(city.zone).date()
    with city.reading() as connection:
        known = releases.releases(connection, first_day=today - _DAYS, last_day=today, plan=_PLAN)
        span = releases.presence_hours(connection)
        release = next((r for r in known if r.day.isoformat() == view.text("day")), None)
        release = release or next(iter(known), None)
        day: list[PresenceCell] = []
        hour = None
        if release is not None and span is not None:
            begin = datetime(release.day.year, release.day.month, release.day.day, tzinfo=city.zone)
            hour = begin + timedelta(hours=_hour(view))
            found = releases.presence(connection, start=begin, end=begin + timedelta(days=1))
            day = [cell for cell in found if cell.release_key == release.release_key]
        districts = overview.districts(connection)
        return Shown(
            now=now,
            districts=districts,
            layers=overview.layer_names(connection),
            releases=known,
            release=release,
            hour=hour,
            cells=[cell for cell in day if cell.hour == hour],
            day=day,
            budgets=ledger.budgets(connection, first_day=today - _LEDGER_DAYS, last_day=today),
            also=[] if release is None else also_released.read(connection, release.day, districts),
            ahead=released_ahead.read(connection, VEHICLES, city, now, view.text("cell")),
        )


def _hour(view: View) -> int:
    return view.number("hour", int(_BUSY_HOUR), 0, 23)


def _badge(shown: Shown) -> list[Component]:
    if shown.release is None:
        return [tag("Nothing released", "quiet", "private")]
    r = shown.release
    return [
        tag(f"ε {r.epsilon:g} a day", "info", "private", "Privacy loss of one vehicle's whole day, at most"),
        tag(f"Shown from {r.threshold} vehicles", "info", None, "Cells with a noisy count below this are withheld"),
        tag(
            f"± {words.number(r.ci95, 1)} (95 %)", "info", None, "How far the noise moves a number, in 95 of 100 cases"
        ),
        tag(f"Plan {r.plan} v{r.plan_version}", "quiet"),
    ]


def _legend(shown: Shown, scheme: Scheme) -> Component:
    palette = PALETTES[scheme]
    ramp = {"background": f"linear-gradient(90deg, {', '.join(palette.sequential[1:])})"}
    return html.Div(
        [
            html.Span("Vehicles in the cell during the hour"),
            html.Span(["0", html.I(className="ramp", style=ramp), words.number(shown.highest)]),
            html.Span([html.I(className="square", style={"--dot": palette.silent, "opacity": "0.4"}), "Withheld"]),
        ],
        className="legend",
    )


def _table(shown: Shown, city: City) -> list[Component]:
    if shown.release is None or shown.hour is None or not shown.cells:
        return []
    return [table_view(cell_table(shown.cells, shown.release, shown.districts, city, shown.hour))]


def _side(shown: Shown, city: City, view: View) -> list[Component]:
    if shown.release is None or shown.hour is None:
        text = (
            "A day is released an hour after it is over, or up to 22 hours later where nothing ran then. Until then positions "
            "stay where nobody but the release can read them."
        )
        return [card("Published", emptiness.not_yet("Nothing released yet", text))]
    counts = [c.vehicles for c in shown.cells if c.vehicles is not None]
    hidden = len(shown.cells) - len(counts)
    share = hidden / len(shown.cells) if shown.cells else None
    facts: list[tuple[str, Content]] = [
        ("Vehicles published", words.number(sum(counts))),
        ("Cells shown", f"{words.number(len(counts))} of {words.number(len(shown.cells))}"),
        ("Withheld", words.percent(share)),
    ]
    body: Content = strip(facts)
    if shown.cells and not counts:
        body = emptiness.withheld("In this hour no cell reached the threshold. Try an hour in the day.")
    elif not shown.cells:
        body = emptiness.no_sensor("The release has no cells for this hour.")
    title = f"{words.clock(shown.hour, city.zone)} to {words.clock(shown.hour + timedelta(hours=1), city.zone, now=shown.hour)}"
    badge = badges.released(shown.release, view)
    by_hour = bars(_by_hour(shown.day, city))
    return [
        card(title, body, privacy=badge),
        card("The day by hour", by_hour, note="Published vehicles, summed over cells", privacy=badge),
    ]


def _by_hour(day: Sequence[PresenceCell], city: City) -> list[tuple[str, str, float]]:
    sums: dict[datetime, list[int]] = {}
    for cell in day:
        total = sums.setdefault(cell.hour, [0, 0, 0])
        total[0] += cell.vehicles or 0
        total[1] += cell.vehicles is None
        total[2] += 1
    blocks: list[tuple[str, str, float]] = []
    ordered = sorted(sums.items())
    pairs = [ordered[i : i + 3] for i in range(0, len(ordered), 3)]
    highest = max((sum(v[0] for _, v in pair) for pair in pairs), default=1) or 1
    for pair in pairs:
        published, hidden, cells = (sum(v[k] for _, v in pair) for k in range(3))
        begin, end = pair[0][0].astimezone(city.zone), pair[-1][0].astimezone(city.zone) + timedelta(hours=1)
        text = f"{words.number(published)} · {words.percent(hidden / cells)} withheld"
        blocks.append((f"{begin:%H:%M}–{end:%H:%M}", text, published / highest))
    return blocks


def _explanation(release: Release | None) -> Component:
    limit = f"fewer than {release.threshold} vehicles, noise included," if release else "too few vehicles"
    points = [
        html.P(
            [
                html.Strong("Why is a cell grey? "),
                f"It had {limit} or none at all. Both look the same on purpose.",
            ]
        ),
        html.P(
            [
                html.Strong("Why are the numbers not exact? "),
                "Random noise, added once, hides whether any one vehicle was there. Asking again gives the same number.",
            ]
        ),
        html.P(
            [
                html.Strong("What becomes of the positions? "),
                "They are kept under a name that changes every day, and destroyed within 48 hours together with the key.",
            ]
        ),
    ]
    return card("How to read this", html.Div(points, className="prose"))


def _ledger(shown: Shown, view: View) -> Component:
    if not shown.budgets:
        return card(
            "Privacy budget", emptiness.not_yet("Nothing spent yet", "Each release is charged before it is made.")
        )
    days: dict[date, list[Budget]] = {}
    for budget in shown.budgets:
        days.setdefault(budget.day, []).append(budget)
    columns = []
    for day in sorted(days, reverse=True)[:4]:
        rows = [
            (
                b.domain.capitalize(),
                f"ε {b.spent_micro_epsilon / 1e6:.2f} of {b.cap_micro_epsilon / 1e6:.2f}",
                b.spent_micro_epsilon / b.cap_micro_epsilon,
            )
            for b in sorted(days[day], key=lambda b: b.domain)
        ]
        columns.append(html.Div([html.Div(f"{day:%a %-d %B}", className="column-title"), bars(rows)]))
    note = "Spent per vehicle, household, trip or session and day; never refunded"
    return card("Privacy budget", html.Div(columns, className="columns"), note=note, privacy=badges.records(view))
