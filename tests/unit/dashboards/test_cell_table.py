"""Published cells in numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import h3

from dashboards.cell_table import cell_table
from services.storage.overview import District
from services.storage.releases import PresenceCell, Release

HOUR = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
MIDDLE = h3.latlng_to_cell(52.52, 13.4, 8)
AWAY = h3.latlng_to_cell(53.52, 13.4, 8)


class FakeCity:
    zone = ZoneInfo("Europe/Berlin")


def cell(name: str, vehicles: int | None) -> PresenceCell:
    return PresenceCell(release_key="presence/2026-11-20", cell=int(name, 16), hour=HOUR, vehicles=vehicles)


def drawn(cells: list[PresenceCell]) -> Any:
    ring = [[13.3, 52.4], [13.5, 52.4], [13.5, 52.6], [13.3, 52.6], [13.3, 52.4]]
    districts = [District(id=1, code="mitte", name="Mitte", outline={"type": "Polygon", "coordinates": [ring]})]
    release = Release(
        release_key="presence/2026-11-20",
        plan="presence",
        plan_version="1",
        plan_hash="f",
        day=date(2026, 11, 20),
        epsilon=0.5,
        delta=0.0,
        mechanism="discrete_laplace",
        noise_scale=5.0,
        threshold=12,
        rounding=5,
        ci95=20.0,
        cells=len(cells),
        suppressed=0,
        released_at=HOUR,
    )
    city: Any = FakeCity()
    return cell_table(cells, release, districts, city, HOUR)


def rows_of(table: Any) -> list[list[Any]]:
    return [[one.children for one in row.children] for row in table.children[1].children]


def test_shown_cells_have_their_interval_and_withheld_ones_nothing_but_their_place() -> None:
    withheld = sorted(h3.grid_ring(MIDDLE, 1))[:2]
    rows = rows_of(drawn([cell(withheld[0], None), cell(AWAY, 15), cell(withheld[1], None), cell(MIDDLE, 45)]))
    assert rows[:2] == [
        [MIDDLE, "Mitte", "17:00–18:00", "45", "25 to 65", "Shown, noise included"],
        [AWAY, "Edge of the city", "17:00–18:00", "15", "0 to 35", "Shown, noise included"],
    ]
    hidden = "Withheld: fewer vehicles than the threshold, or none"
    assert rows[2:] == [[name, "Mitte", "17:00–18:00", "–", "–", hidden] for name in withheld]


def test_a_large_city_is_cut_and_says_where_the_rest_is() -> None:
    cells = [cell(name, None) for name in h3.grid_disk(MIDDLE, 20)]
    table, rest = drawn(cells).children
    assert len(rows_of(table)) == 1_000
    assert rest.children.startswith("261 more cells: /api/v1/mobility")
