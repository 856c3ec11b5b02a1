"""Code concerned with what the households of each district used on the newest released day, with its interval and its price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from dash.development.base_component import Component

from dashboards import badges, emptiness, words
from dashboards.address import View
from dashboards.parts import Content, bars, card
from services.storage import releases
from services.storage.database import Connection
from services.storage.releases import DistrictEnergy, Release

_DAYS: Final = timedelta(days=7)
_PLAN: Final = "district_energy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Households:
    """The newest release of household energy and its districts."""

    release: Release
    districts: list[DistrictEnergy]


def read(connection: Connection, today: date) -> Households | None:
    """The newest release of the last week; None without one."""
    found = releases.releases(connection, first_day=today - _DAYS, last_day=today, plan=_PLAN)
    if not found:
        return None
    day = found[0].day
    return Households(release=found[0], districts=releases.district_energy(connection, first_day=day, last_day=day))


def panel(found: Households | None, view: View, *, span: int) -> Component:
    """A card with a bar for each district that is shown."""
    badge = badges.released(None if found is None else found.release, view)
    if found is None:
        text = "Energy of a day is released once the day is over. Nobody sees a single home's."
        return card("Households", emptiness.not_yet("Nothing released yet", text), span=span, privacy=badge)
    shown = [(one, one.energy_kwh, one.ci95_kwh, one.households) for one in found.districts]
    visible = [row for row in shown if row[1] is not None]
    visible.sort(key=lambda row: -(row[1] or 0.0))
    highest = max((row[1] or 0.0 for row in visible), default=0.0) or 1.0
    body: Content = bars(
        [
            (
                f"{one.name}, about {words.number(homes)} homes",
                f"{words.number(energy)} ± {words.number(ci95)} kWh",
                (energy or 0.0) / highest,
            )
            for one, energy, ci95, homes in visible
        ]
    )
    if not visible:
        body = emptiness.withheld("In no district enough households reported.")
    hidden = f"{words.number(len(shown) - len(visible))} of {words.number(len(shown))} districts withheld"
    note = f"Energy on {found.release.day:%A, %-d %B}. ± holds in 95 of 100 cases; {hidden}"
    return card("Households", body, note=note, span=span, privacy=badge)
