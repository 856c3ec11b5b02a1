"""What was released beside presence is shown with its interval, and what was withheld only as a number."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import h3

from dashboards import address, also_released
from services.storage.overview import District
from services.storage.releases import Figure, Release

DAY = datetime(2026, 11, 19, 23, tzinfo=UTC)


def also(plan: str, *figures: tuple[str, str, str, float | None]) -> also_released.Also:
    release = Release(
        release_key=f"{plan}/1/2026-11-20",
        plan=plan,
        plan_version="1",
        plan_hash="h",
        day=date(2026, 11, 20),
        epsilon=0.1,
        delta=0.0,
        mechanism="discrete_laplace",
        noise_scale=40.0,
        threshold=250,
        rounding=5,
        ci95=122.5,
        cells=len(figures),
        suppressed=sum(value is None for *_, value in figures),
        released_at=DAY,
    )
    rows = [
        Figure(
            release_key=release.release_key,
            place=place,
            part=part,
            slot=DAY,
            measure=measure,
            value=value,
            ci95=None if value is None else 122.5,
        )
        for place, part, measure, value in figures
    ]
    return also_released.Also(release=release, figures=rows)


def text_of(found: list[also_released.Also]) -> str:
    return " ".join(
        json.dumps(card.to_plotly_json(), default=lambda one: one.to_plotly_json(), ensure_ascii=False)
        for card in also_released.cards(found, address.read_view(""))
    )


def test_bands_are_named_in_order_and_the_withheld_are_counted() -> None:
    lengths = also("trip_lengths", *(("city", part, "trips", value) for part, value in BANDS))
    text = text_of([lengths])
    assert text.index("0–1 km") < text.index("8–12 km") < text.index("30 km and more")
    assert "± 122" in text
    assert "1 of 4 withheld" in text
    assert "2–3 km" not in text  # it is withheld


BANDS = (("00-01 km", 900.0), ("02-03 km", None), ("08-12 km", 400.0), ("30- km", 300.0))


def test_the_largest_come_first_where_there_is_no_order_and_other_measures_stay_away() -> None:
    energy = also(
        *("charging", ("east", "", "energy_kwh", 10.0), ("west", "", "energy_kwh", 900.0)),
        ("west", "", "sessions", 12_345.0),
    )
    text = text_of([energy])
    assert text.index("west") < text.index("east")
    assert "12" + "," + "345" not in text


def test_areas_are_named_after_the_district_of_their_middle_and_told_apart() -> None:
    cells = ["871f1d488ffffff", "871f1d489ffffff", "871f1d48cffffff"]
    (lat, lon), *_ = (h3.cell_to_latlng(cell) for cell in cells)
    around = [
        [lon - 0.001, lat - 0.001],
        [lon + 0.001, lat - 0.001],
        [lon + 0.001, lat + 0.001],
        [lon - 0.001, lat + 0.001],
    ]
    outline = {"type": "Polygon", "coordinates": [[*around, around[0]]]}
    names = also_released.area_names(cells, [District(id=1, code="mitte", name="Mitte", outline=outline)])
    assert names == {cells[0]: "Mitte", cells[1]: "Edge of the city 1", cells[2]: "Edge of the city 2"}
    ways = also(*("origin_destination", (cells[0], cells[0], "trips", 900.0)), (cells[0], cells[1], "trips", 500.0))
    text = text_of([replace(ways, names=names)])
    assert text.index("Within Mitte") < text.index("Mitte → Edge of the city 1")


def test_a_release_that_shows_nothing_has_no_card() -> None:
    assert also_released.cards([also("bike_stations", ("S1", "arrivals", "trips", None))], address.read_view("")) == []
