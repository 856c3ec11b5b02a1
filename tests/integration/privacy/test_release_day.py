"""One closed day becomes published numbers: over the whole public domain, once, and with nothing personal in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import h3.api.basic_int as h3
import numpy as np
import psycopg
import pytest

from services.errors import BudgetExhaustedError, InputError, NotFoundError
from services.privacy import earlier
from services.privacy.days import local_day
from services.privacy.plan import load_plan
from services.privacy.release import release_closed_days, release_day
from services.settings import Settings
from services.storage import ledger, personal, releases
from services.storage.database import Connection, connect

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
CROWD = 400


def subject(number: int) -> bytes:
    return number.to_bytes(16, "big")


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 20, hour, minute, tzinfo=UTC)


def test_presence_covers_the_whole_public_domain_and_finds_the_crowd(
    settings: Settings, owner: Connection, districts: list[int], store_positions: Callable[..., None]
) -> None:
    busy = h3.latlng_to_cell(52.51, 13.38, 9)
    store_positions((subject(n), at(11, minute), busy) for n in range(CROWD) for minute in (5, 25, 45))

    summary = release_day(settings, load_plan("presence"), DAY, now=NOW)

    cells = releases.presence(
        owner, start=datetime(2026, 11, 19, 23, tzinfo=UTC), end=datetime(2026, 11, 20, 23, tzinfo=UTC)
    )
    outlines = [outline for _, outline in releases.district_outlines(owner)]
    public = {cell for outline in outlines for cell in h3.geo_to_cells(outline, 8)}
    assert {cell.cell for cell in cells} == public
    assert len(cells) == len(public) * 24 == summary.release.cells
    assert sum(cell.vehicles is None for cell in cells) == summary.release.suppressed
    (crowd,) = [cell for cell in cells if cell.cell == h3.cell_to_parent(busy, 8) and cell.hour == at(11)]
    assert crowd.vehicles is not None
    assert crowd.vehicles % 5 == 0
    assert abs(crowd.vehicles - CROWD) <= 255  # 6 σ of the noise and the reach of smoothing, 2.6 σ
    assert (summary.release.epsilon, summary.release.delta, summary.release.threshold) == (1.0, 1e-6, 92)  # 3.1 σ
    assert summary.release.noise_scale == pytest.approx(29.61, abs=0.01)  # 4.23 times the root of 49


def test_district_energy_is_published_with_its_interval(
    settings: Settings, owner: Connection, districts: list[int], store_households: Callable[..., None]
) -> None:
    west, east = districts
    quarters = [at(0) + timedelta(minutes=15 * i) for i in range(90)]
    store_households((subject(n), moment, west, 100) for n in range(300) for moment in quarters)  # 9 kWh each
    store_households([(subject(1000 + n), at(3), east, 5000) for n in range(3)])

    release_day(settings, load_plan("district_energy"), DAY, now=NOW)

    rows = {row.district: row for row in releases.district_energy(owner, first_day=DAY, last_day=DAY)}
    assert rows["west"].energy_kwh == pytest.approx(2700, abs=30 / 0.7 * 18)
    assert rows["west"].households == pytest.approx(300, abs=1 / 0.3 * 18 + 2.5)
    assert rows["west"].ci95_kwh == pytest.approx(30 / 0.7 * 2.996 + 0.5, abs=0.1)  # b ln 20, and half of the rounding
    assert (rows["east"].energy_kwh, rows["east"].households, rows["east"].ci95_kwh) == (None, None, None)


def test_asking_again_returns_what_is_stored_and_spends_nothing(
    settings: Settings, owner: Connection, districts: list[int], store_positions: Callable[..., None]
) -> None:
    busy = h3.latlng_to_cell(52.51, 13.38, 9)
    store_positions((subject(n), at(11), busy) for n in range(CROWD))
    span = {"start": at(0), "end": at(23)}

    first = release_day(settings, load_plan("presence"), DAY, now=NOW)
    values = releases.presence(owner, **span)
    store_positions((subject(n), at(12), busy) for n in range(CROWD, 2 * CROWD))
    second = release_day(settings, load_plan("presence"), DAY, now=NOW + timedelta(days=90))

    assert (first.replayed, second.replayed) == (False, True)
    assert first.release == second.release
    assert releases.presence(owner, **span) == values
    assert [budget.spent for budget in ledger.budgets(owner, first_day=DAY, last_day=DAY)] == [1.0]


def test_what_was_drawn_for_days_of_its_kind_smooths_a_day_and_is_forgotten_after_four_weeks(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    plan = load_plan("presence")
    for back in (29, 7, 5, 1):  # Thursday, Friday, Sunday, Thursday; nobody is on the way
        release_day(settings, plan, DAY - timedelta(days=back), now=NOW - timedelta(days=back))
    domain = np.array(kept(owner)[DAY - timedelta(days=1)][0], dtype=np.int64)
    crowd = (
        "UPDATE governance.drawn SET counts = array_fill(%s::bigint, ARRAY[cardinality(counts)]) WHERE release_key = %s"
    )
    for back, count in ((29, 9_000), (7, 400), (5, 9_000), (1, 600)):
        owner.execute(crowd, [count, plan.release_key(DAY - timedelta(days=back))])
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection:
        with personal.release_transaction(connection):
            paid = ledger.find_charge(connection, plan.release_key(DAY - timedelta(days=1)))
            (before,) = earlier.days_like(
                connection, settings, plan, replace(paid, day=DAY), local_day(DAY, settings), domain
            ).values()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM governance.drawn")

    release_day(settings, plan, DAY, now=NOW)

    assert before.shape == (2, len(domain), 24)
    assert [table.mean() for table in before] == [400, 600]  # not the Sunday, and not what is older than four weeks
    assert sorted(kept(owner)) == [DAY - timedelta(days=back) for back in (7, 5, 1, 0)]
    cells, counts = kept(owner)[DAY]
    assert cells == sorted(cells)
    assert len(counts) == 24 * len(cells)
    shown = owner.execute(
        "SELECT count(vehicles) FROM published.presence WHERE release_key = %s", [plan.release_key(DAY)]
    ).fetchone()
    assert shown == (0,)  # days before say what is usual, the day itself that nobody came


def kept(owner: Connection) -> dict[date, tuple[list[int], list[int]]]:
    rows = owner.execute(
        "SELECT day, drawn.cells, counts FROM governance.drawn JOIN published.release USING (release_key)"
    ).fetchall()
    return {day: (cells, counts) for day, cells, counts in rows}


def test_closed_days_are_released_once_even_without_any_rows(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    first = release_closed_days(settings, NOW)
    second = release_closed_days(settings, NOW + timedelta(hours=1))

    assert sorted(release.release_key for release in first) == [
        "charging/1/2026-11-20",
        "district_energy/1/2026-11-20",
        "presence/4/2026-11-20",
    ]
    assert second == []


def test_a_city_without_districts_releases_and_spends_nothing(settings: Settings, owner: Connection) -> None:
    assert release_closed_days(settings, NOW) == []
    with pytest.raises(NotFoundError, match="no districts"):
        release_day(settings, load_plan("presence"), DAY, now=NOW)
    assert ledger.charges(owner, first_day=DAY, last_day=DAY) == []


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2026, 11, 20, 15, tzinfo=UTC), "2026-11-20 is not closed"),
        (
            datetime(2026, 11, 20, 23, 59, tzinfo=UTC),
            "can be released from 2026-11-21 00:00 UTC",
        ),  # 1 h after 23:00 UTC
        (datetime(2026, 11, 21, 22, tzinfo=UTC), "personal rows are destroyed"),  # 47 h after the day began
    ],
)
def test_open_and_bygone_days_are_refused_before_anything_is_spent(
    settings: Settings, owner: Connection, districts: list[int], now: datetime, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        release_day(settings, load_plan("presence"), DAY, now=now)
    assert ledger.charges(owner, first_day=DAY, last_day=DAY) == []


def test_a_second_version_does_not_fit_into_a_spent_day(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    import msgspec

    plan = load_plan("presence")
    release_day(settings, plan, DAY, now=NOW)

    with pytest.raises(BudgetExhaustedError, match="mobility for 2026-11-20 does not hold another 1"):
        release_day(settings, msgspec.structs.replace(plan, version="99"), DAY, now=NOW)
    with pytest.raises(InputError, match="another plan of that version"):
        release_day(settings, msgspec.structs.replace(plan, purpose="Something else."), DAY, now=NOW)
    assert [budget.spent for budget in ledger.budgets(owner, first_day=DAY, last_day=DAY)] == [1.0]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_of_the_clock_change_have_their_own_number_of_hours(
    settings: Settings,
    owner: Connection,
    districts: list[int],
    store_positions: Callable[..., None],
    day: date,
    hours: int,
) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=1 if hours == 23 else 2)
    busy = h3.latlng_to_cell(52.51, 13.38, 9)
    moments = [start + timedelta(hours=hour) for hour in (0, hours - 1)]
    outside = [start - timedelta(seconds=1), start + timedelta(hours=hours)]
    store_positions(((subject(n), moment, busy) for n in range(CROWD) for moment in moments + outside), day)

    release_day(settings, load_plan("presence"), day, now=start + timedelta(hours=hours + 1))

    cells = releases.presence(owner, start=start - timedelta(days=1), end=start + timedelta(days=2))
    assert sorted({cell.hour for cell in cells}) == [start + timedelta(hours=hour) for hour in range(hours)]
    crowded = {cell.hour for cell in cells if cell.vehicles is not None and cell.vehicles > CROWD / 2}
    assert crowded == set(moments)


def test_published_tables_have_no_place_for_a_personal_record(settings: Settings) -> None:
    with connect(settings.role_dsn("api"), application="test") as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'published'"
        ).fetchall()
        keys = connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'p' AND connamespace = 'published'::regnamespace"
        ).fetchall()
    assert {table for table, _, _ in columns} == {"release", "presence", "district_energy", "figure"}
    assert not [row for row in columns if row[2] in {"bytea", "jsonb", "json", "point", "uuid", "ARRAY"}]
    assert not [row for row in columns if set(row[1].split("_")) & {"subject", "pseudonym", "lon", "lat", "device"}]
    assert dict(keys) == {  # one value per public cell and slot: two subjects can never be two rows
        "published.release": "PRIMARY KEY (release_key)",
        "published.presence": "PRIMARY KEY (release_key, cell, hour)",
        "published.district_energy": "PRIMARY KEY (release_key, district_id)",
        "published.figure": "PRIMARY KEY (release_key, place, part, slot, measure)",
    }
