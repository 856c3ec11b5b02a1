"""Products beside presence and daily energy: switched on together, each finds in a generated day what is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import h3.api.basic_int as h3
import pytest

from services.errors import BudgetExhaustedError
from services.privacy.plan import enabled_plan
from services.privacy.release import release_closed_days, release_day
from services.settings import Settings
from services.storage import ledger, releases
from services.storage.database import Connection

DAY = date(2026, 11, 20)
START = datetime(2026, 11, 19, 23, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
VEHICLES = 3_000
HOME, WORK = h3.latlng_to_cell(52.485, 13.31, 9), h3.latlng_to_cell(52.535, 13.45, 9)


@pytest.fixture
def everything(settings: Settings) -> Settings:
    """The settings of a city that has switched all plans on."""
    plans = ("presence=0.4", "origin_destination", "speeds", "trip_lengths", "district_energy=0.5", "district_load")
    return settings.model_copy(update={"privacy_plans": plans})


def subject(number: int) -> bytes:
    return (number * 0x9E3779B97F4A7C15 % 2**128).to_bytes(16, "big")


def figures(owner: Connection, plan: str) -> dict[tuple[str, str, datetime, str], releases.Figure]:
    found = releases.figures(owner, plan=plan, first_day=DAY, last_day=DAY, limit=1_000_000)
    return {(one.place, one.part, one.slot, one.measure): one for one in found}


def test_trips_their_lengths_and_speeds_of_a_day_of_commuters(
    everything: Settings, owner: Connection, districts: list[int]
) -> None:
    # Everybody leaves home at 06:30 UTC, reports every minute on a straight way of half an hour, and stays at work.
    way = h3.grid_path_cells(HOME, WORK)
    reports = [(datetime(2026, 11, 20, 6, 10 + n, tzinfo=UTC), HOME) for n in (0, 10, 20)]
    reports += [(datetime(2026, 11, 20, 6, 31 + n, tzinfo=UTC), way[n * (len(way) - 1) // 28]) for n in range(29)]
    reports += [(datetime(2026, 11, 20, 7, n, tzinfo=UTC), WORK) for n in (5, 15, 25)]
    with (
        owner.cursor() as cursor,
        cursor.copy("COPY personal.position (day, subject, observed_at, cell, speed_kmh) FROM STDIN") as copy,
    ):
        for n in range(VEHICLES):
            for moment, cell in reports:
                copy.write_row((DAY, subject(n + 1), moment, cell, 20.0 + n % 21))

    for name in ("origin_destination", "trip_lengths", "speeds"):
        release_day(everything, enabled_plan(name, everything), DAY, now=NOW)

    pairs = figures(owner, "origin_destination")
    here, there = (f"{h3.cell_to_parent(cell, 7):x}" for cell in (HOME, WORK))
    assert len(pairs) == len({place for place, *_ in pairs}) ** 2
    trips = pairs[here, there, START, "trips"]
    assert trips.value == pytest.approx(VEHICLES, abs=20 * 18)  # b = 4 / 0.2; once in 10^8 runs beyond
    assert trips.ci95 == pytest.approx(20 * 2.996 + 2.5, abs=1)
    assert pairs[there, here, START, "trips"].value is None

    lengths = figures(owner, "trip_lengths")
    metres = h3.great_circle_distance(h3.cell_to_latlng(HOME), h3.cell_to_latlng(WORK), unit="m")
    assert metres == pytest.approx(11_000, abs=500)
    band = lengths["city", "08-12 km", START, "trips"].value or 0
    longer = lengths["city", "12-20 km", START, "trips"].value or 0  # the way from centre to centre is a little longer
    assert band + longer == pytest.approx(VEHICLES, abs=2 * 40 * 18)
    assert lengths["city", "30- km", START, "trips"].value is None

    speeds = figures(owner, "speeds")
    middle = f"{h3.cell_to_parent(way[len(way) // 2], 7):x}"
    hour = datetime(2026, 11, 20, 6, tzinfo=UTC)
    mean, count = speeds[middle, "", hour, "speed_kmh"], speeds[middle, "", hour, "vehicles"]
    assert count.value is not None
    assert mean.value is not None
    assert count.value > 500
    assert mean.value == pytest.approx(30, abs=65 * 4 / 0.2 * 18 / count.value)
    assert speeds[middle, "", START, "speed_kmh"].value is None  # nobody drives at midnight


def test_half_hours_only_of_districts_with_many_homes(
    everything: Settings, owner: Connection, districts: list[int]
) -> None:
    west, east = districts
    owner.execute("UPDATE sensing.district SET homes = CASE id WHEN %s THEN 1000 ELSE 999 END", [west])
    with (
        owner.cursor() as cursor,
        cursor.copy("COPY personal.household (day, subject, observed_at, district_id, energy_wh) FROM STDIN") as copy,
    ):
        for n in range(1_000):
            for district, first in ((west, 0), (east, 5_000)):
                for slot in range(48):
                    moment = START + timedelta(minutes=30 * slot)
                    used = 600 if slot == 40 else 100
                    copy.write_row((DAY, subject(first + n + 1), moment, district, used))

    summary = release_day(everything, enabled_plan("district_load", everything), DAY, now=NOW)

    found = figures(owner, "district_load")
    assert {place for place, *_ in found} == {"west"}
    assert summary.release.delta == 1e-6
    assert summary.release.mechanism == "discrete_laplace and discrete_gaussian"
    assert summary.release.epsilon == 0.5
    at_peak = found["west", "", START + timedelta(minutes=30 * 40), "energy_kwh"]
    before = found["west", "", START + timedelta(minutes=30 * 20), "energy_kwh"]
    sigma = 4 * 9.35  # kWh: one household's norm times the noise of epsilon 0.45, delta 10^-6
    assert at_peak.ci95 == pytest.approx(1.96 * sigma + 0.5, rel=0.05)
    assert at_peak.value == pytest.approx(600, abs=6.5 * sigma)
    assert before.value == pytest.approx(100, abs=6.5 * sigma)
    assert found["west", "", START, "households"].value == pytest.approx(1_000, abs=20 * 18 + 2.5)


def test_all_plans_together_spend_the_day_and_no_more(
    everything: Settings, owner: Connection, districts: list[int], store_positions: Callable[..., None]
) -> None:
    owner.execute("UPDATE sensing.district SET homes = %s", [2_000])
    store_positions([(subject(1), NOW - timedelta(hours=12), HOME)])
    done = release_closed_days(everything, NOW)
    assert {release.plan for release in done} == {"presence", "origin_destination", "speeds", "trip_lengths"} | {
        "district_energy",
        "district_load",
    }
    assert {release.plan_version for release in done if release.plan == "presence"} == {"4@0.4"}
    budgets = ledger.budgets(owner, first_day=DAY, last_day=DAY)
    assert {(budget.domain, budget.spent) for budget in budgets} == {("mobility", 1.0), ("household", 1.0)}


def test_the_delta_of_a_day_is_spent_once_whatever_the_shares(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    first, second = (
        settings.model_copy(update={"privacy_plans": (entry,)}) for entry in ("presence=0.4", "presence=0.5")
    )
    release_day(first, enabled_plan("presence", first), DAY, now=NOW)
    with pytest.raises(BudgetExhaustedError, match="would have a delta of 2e-6 together, more than 1e-6"):
        release_day(second, enabled_plan("presence", second), DAY, now=NOW)
    assert [budget.spent for budget in ledger.budgets(owner, first_day=DAY, last_day=DAY)] == [0.4]
