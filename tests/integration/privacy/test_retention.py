"""Personal rows and keys end with their day: not before it was released, never later than 48 hours."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from services.privacy.release import release_closed_days
from services.privacy.retention import destroy_expired, preview
from services.settings import Settings
from services.storage import audit, personal
from services.storage.database import Connection, connect

DAY = date(2026, 11, 20)  # from 2026-11-19 23:00 UTC to 2026-11-20 23:00 UTC
BEGAN = datetime(2026, 11, 19, 23, tzinfo=UTC)


@pytest.fixture
def full(
    owner: Connection, districts: list[int], store_positions: Callable[..., None], store_households: Callable[..., None]
) -> None:
    """Three days of rows and keys, and two personal dead letters."""
    for back in range(3):
        day, moment = DAY - timedelta(days=back), BEGAN + timedelta(days=-back, hours=5)
        store_positions([(bytes(16), moment, 1), (bytes(15) + b"x", moment, 1)], day)
        store_households([(bytes(16), moment, districts[0], 500)], day)
        for purpose in ("mobility", "household"):
            owner.execute("INSERT INTO personal.day_key VALUES (%s, %s, %s)", [purpose, day, bytes(32)])
    for age in (1, 60):
        owner.execute(
            "INSERT INTO personal.dead_letter (received_at, topic, payload, payload_bytes, reason) VALUES (%s, '', '', 0, '')",
            [BEGAN + timedelta(hours=47 - age)],
        )


def days_left(owner: Connection, table: str) -> list[date]:
    return [row[0] for row in owner.execute(f"SELECT DISTINCT day FROM personal.{table} ORDER BY day").fetchall()]  # type: ignore[arg-type]  # noqa: S608 - table names of this file


def test_an_unreleased_day_waits_until_its_window_has_passed_and_no_longer(
    settings: Settings, owner: Connection, full: None
) -> None:
    before = destroy_expired(settings, BEGAN + timedelta(hours=46, minutes=59))
    assert (before.rows["mobility"], before.rows["household"], before.keys, before.dead_letters) == (
        4,
        2,
        4,
        1,
    )  # two older
    assert days_left(owner, "position") == days_left(owner, "household") == days_left(owner, "day_key") == [DAY]

    after = destroy_expired(settings, BEGAN + timedelta(hours=47))
    assert (after.rows["mobility"], after.rows["household"], after.keys, after.dead_letters) == (2, 1, 2, 0)
    assert days_left(owner, "position") == days_left(owner, "household") == days_left(owner, "day_key") == []


@pytest.mark.parametrize(
    ("hours", "released", "gone"), [(25, True, True), (25, False, False), (30, True, False), (48, True, False)]
)
def test_a_released_day_goes_at_the_configured_age(
    settings: Settings, owner: Connection, full: None, hours: int, released: bool, gone: bool
) -> None:
    chosen = settings.model_copy(update={"personal_retention_hours": hours})
    now = BEGAN + timedelta(hours=25, minutes=10)
    if released:
        release_closed_days(chosen, now)
    destroy_expired(chosen, now)
    assert (DAY not in days_left(owner, "position")) is gone
    assert (DAY not in days_left(owner, "day_key")) is gone


def test_an_open_day_is_never_touched(
    settings: Settings, owner: Connection, districts: list[int], store_positions: Callable[..., None]
) -> None:
    store_positions([(bytes(16), BEGAN, 1)])
    chosen = settings.model_copy(update={"personal_retention_hours": 25})
    for hours in (1, 23.9, 24.9):  # open, open, closed but still waiting for late readings
        assert destroy_expired(chosen, BEGAN + timedelta(hours=hours)).rows["mobility"] == 0


def test_a_destroyed_day_never_gets_a_key_again(settings: Settings, full: None) -> None:
    destroy_expired(settings, BEGAN + timedelta(hours=47))
    with connect(settings.role_dsn("ingest"), application="test", autocommit=True) as connection:
        keys = [
            connection.execute(
                "SELECT personal.key_of_day('mobility', %s, '2026-11-01')", [DAY + timedelta(days=ahead)]
            ).fetchone()
            for ahead in (-1, 0, 1)
        ]
    assert keys[:2] == [(None,), (None,)]
    assert keys[2] is not None
    assert len(keys[2][0]) == 32


def test_destruction_is_on_record_without_counting_anyone(settings: Settings, full: None) -> None:
    destroy_expired(settings, BEGAN + timedelta(hours=47))
    destroy_expired(settings, BEGAN + timedelta(hours=48))
    with connect(settings.role_dsn("api"), application="test", autocommit=True) as connection:
        records = connection.execute("SELECT purpose, day FROM governance.destruction ORDER BY purpose").fetchall()
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'destruction'"
        ).fetchall()
    assert [(purpose, day) for purpose, day in records if purpose in {"household", "mobility"}] == [
        ("household", DAY),
        ("mobility", DAY),
    ]
    assert {column for (column,) in columns} == {"purpose", "day", "destroyed_at"}


def test_what_is_gone_is_in_the_audit_log_once_and_what_is_left_is_shown(
    settings: Settings, owner: Connection, full: None, store_positions: Callable[..., None]
) -> None:
    now = BEGAN + timedelta(hours=47)
    before = {kept.name: kept for kept in preview(settings, now)}
    assert (
        before["mobility"].due == before["mobility key"].due == (DAY - timedelta(days=2), DAY - timedelta(days=1), DAY)
    )
    assert before["mobility"].overdue == (DAY - timedelta(days=2), DAY - timedelta(days=1))  # no run since then
    assert days_left(owner, "position") != []

    for _ in range(3):
        destroy_expired(settings, now)
    entries = [(entry.action, json.loads(entry.body)) for entry in audit.entries(owner)]
    for action in ("rows.destroyed", "key.destroyed"):
        said = [body for each, body in entries if each == action]
        assert {"purpose": "mobility", "through": DAY.isoformat(), "left": 0} in said
        assert len(said) == len(personal.DOMAINS)
    assert not any(kept.held for kept in preview(settings, now) if kept.name != "personal dead letters")

    store_positions([(bytes(16), BEGAN, 1)])  # a batch that was under way brings a row of the destroyed day
    assert [kept.name for kept in preview(settings, now) if kept.overdue] == ["mobility"]
    destroy_expired(settings, now)
    assert not any(kept.overdue for kept in preview(settings, now))
