"""The history lane and the writer, judged by what the database holds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import h3.api.basic_int as h3
import orjson
import psycopg
import pytest
from msgspec import structs

from ingest.batch import Batch
from ingest.decoders.catalogue import decode
from ingest.persistence import Persistence
from ingest.pipeline import store
from services.domain import Message, from_us
from services.errors import StorageError
from services.settings import Settings
from services.storage import dead_letters
from services.storage.database import Connection, connect

NOW_US = time.time_ns() // 1_000
START_MS = (NOW_US // 1_000 // 3_600_000 - 48) * 3_600_000  # the full hour two days ago
TRAFFIC = "city/v1/traffic/{}/telemetry"


def message(topic: str, content: object) -> Message:
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return Message(topic=topic, payload=payload, received_us=NOW_US)


def day(sensor: str, **changes: object) -> Message:
    items = [{"ts": START_MS + i * 300_000, "seq": i, "flow_vph": 500 + i, "speed_kmh": 43.7} for i in range(288)]
    return message(TRAFFIC.format(sensor), [{**item, **changes} for item in items])


def letters(owner: Connection, schema: str = "sensing") -> list[tuple[str, str]]:
    return owner.execute(f"SELECT topic, reason FROM {schema}.dead_letter ORDER BY id").fetchall()  # noqa: S608 - names of this file


def one(owner: Connection, text: str) -> object:
    row = owner.execute(text).fetchone()  # type: ignore[arg-type]  # a constant of this file
    assert row is not None
    return row[0]


def test_history_is_stored_once_however_often_it_is_loaded(settings: Settings, owner: Connection) -> None:
    messages = [day(f"t-{number}") for number in range(20)]
    first = store(settings, messages)
    again = store(settings, messages)
    assert (first.received, first.stored, first.rows) == (20, 20, 20 * 288)
    assert (again.received, again.duplicate, again.rows) == (20, 20, 0)
    assert first.holds()
    assert again.holds()
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 20 * 288
    assert letters(owner) == []
    row = owner.execute(
        "SELECT observed_at, received_at, seq, flow_vph, speed_kmh, occupancy, quality FROM sensing.traffic ORDER BY 1, sensor_id"
    ).fetchone()
    assert row == (from_us(START_MS * 1_000), from_us(NOW_US), 0, 500.0, 43.7, None, 1)


def test_every_hour_with_new_rows_is_marked_and_no_other(settings: Settings, owner: Connection) -> None:
    store(settings, [day("t-1")])
    hours = "SELECT count(*), count(DISTINCT hour) FROM sensing.dirty_hour WHERE kind = 'traffic'"
    assert owner.execute(hours).fetchone() == (24, 24)
    store(settings, [day("t-1")])
    assert owner.execute(hours).fetchone() == (24, 24), "a duplicate touches nothing"


def test_part_of_a_day_that_is_there_already_does_not_hold_up_the_rest(settings: Settings, owner: Connection) -> None:
    half = orjson.loads(day("t-1").payload)[:100]
    store(settings, [message(TRAFFIC.format("t-1"), half)])
    counts = store(settings, [day("t-1")])
    assert (counts.stored, counts.rows) == (1, 188)
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 288


def test_contradicting_content_keeps_the_first_and_buries_the_second(settings: Settings, owner: Connection) -> None:
    topic = TRAFFIC.format("t-1")
    one_reading = message(topic, {"ts": START_MS, "flow_vph": 820})
    other = message(topic, {"ts": START_MS, "flow_vph": 830})
    together = store(settings, [one_reading, other, one_reading])
    later = store(settings, [other])
    assert (together.stored, together.dead_lettered, together.duplicate) == (1, 1, 1)
    assert later.dead_lettered == 1
    assert one(owner, "SELECT flow_vph FROM sensing.traffic") == 820
    moment = from_us(START_MS * 1_000).isoformat().replace("+00:00", "Z")
    reason = f"flow_vph at {moment} is already stored as 820, this message says 830; the first is kept"
    assert letters(owner) == [(topic, reason)] * 2


@pytest.mark.parametrize("together", [True, False])
def test_flow_and_speed_that_arrive_apart_become_one_row(
    settings: Settings, owner: Connection, *, together: bool
) -> None:
    seconds = START_MS // 1_000 + 300
    messages = [
        message("tms-v2/23001/5116", {"value": 820, "time": seconds}),
        message("tms-v2/23001/5122", {"value": 0, "time": seconds}),
    ]
    for part in [messages] if together else [[messages[0]], [messages[1]]]:
        counts = store(settings, part)
        assert counts.stored == len(part)
    assert owner.execute("SELECT flow_vph, speed_kmh, quality FROM sensing.traffic").fetchall() == [(820, 0, 3)]


def test_one_message_in_ten_is_poison_and_all_others_are_stored(settings: Settings, owner: Connection) -> None:
    poison = [b"\xff\xfe", b'{"ts": NaN}', b"[", b"{}", b'{"ts":1,"flow_vph":1}', b'{"ts":4102444800000,"flow_vph":1}']
    messages = [
        message(
            TRAFFIC.format("t-1"), poison[i // 10 % 6] if i % 10 == 9 else {"ts": START_MS + i * 1_000, "flow_vph": i}
        )
        for i in range(600)
    ]
    counts = store(settings, messages)
    assert (counts.received, counts.stored, counts.dead_lettered) == (600, 540, 60)
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 540
    assert {bytes(row[0]) for row in owner.execute("SELECT payload FROM sensing.dead_letter")} == set(poison)
    assert all(len(reason) > 20 for _, reason in letters(owner))


def test_the_good_items_of_a_message_with_a_bad_one_are_stored(settings: Settings, owner: Connection) -> None:
    items = [
        {"ts": START_MS, "flow_vph": 1},
        {"ts": START_MS + 1_000, "occupancy": 12},
        {"ts": START_MS + 2_000, "flow_vph": 3},
    ]
    counts = store(settings, [message(TRAFFIC.format("t-1"), items)])
    assert (counts.dead_lettered, counts.stored, counts.rows) == (1, 0, 2)
    assert letters(owner)[0][1] == "item 1: occupancy is 12, but it is a share between 0 and 1"


def test_meta_describes_a_sensor_that_was_known_by_its_readings_only(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', '{}')")
    store(settings, [message(TRAFFIC.format("t-1"), {"ts": START_MS, "flow_vph": 1})])
    assert one(owner, "SELECT described FROM sensing.sensor") is False
    meta = {"name": "Ring 1", "lon": 13.4, "lat": 52.5, "district": "mitte", "free_flow_kmh": 50, "step_seconds": 300}
    counts = store(
        settings,
        [
            message("city/v1/traffic/t-1/meta", meta),
            message("city/v1/traffic/t-1/meta", {"road": "Ring"}),
            message("city/v1/traffic/t-1/status", {"online": True}),
        ],
    )
    assert counts.stored == 3
    row = owner.execute(
        "SELECT s.name, lon, lat, d.code, free_flow_kmh, step_seconds, road, described, online "
        "FROM sensing.sensor s JOIN sensing.district d ON d.id = district_id"
    ).fetchone()
    assert row == ("Ring 1", 13.4, 52.5, "mitte", 50, 300, "Ring", True, True)


def test_a_sensor_has_one_kind(settings: Settings, owner: Connection) -> None:
    store(settings, [message(TRAFFIC.format("x"), {"ts": START_MS, "flow_vph": 1})])
    wrong = message("city/v1/energy/x/telemetry", {"ts": START_MS, "power_kw": 1})
    counts = store(settings, [wrong, message("city/v1/energy/x/meta", {"name": "x"})])
    assert counts.dead_lettered == 2
    reason = "the sensor 'x' is registered as traffic, this message calls it energy"
    assert [reason] * 2 == [said for _, said in letters(owner)]
    assert one(owner, "SELECT count(*) FROM sensing.energy") == 0


def test_an_unknown_district_is_named(settings: Settings, owner: Connection) -> None:
    store(settings, [message("city/v1/traffic/x/meta", {"name": "X", "district": "atlantis"})])
    assert letters(owner) == [
        ("city/v1/traffic/x/meta", "there is no district 'atlantis'; the rest of the description is stored")
    ]
    assert one(owner, "SELECT name FROM sensing.sensor") == "X"


def test_positions_become_cells_under_a_days_pseudonym(settings: Settings, owner: Connection) -> None:
    topic = "city/v1/probe/car-9/telemetry"
    yesterday = (NOW_US // 1_000) - 3_600_000
    sent = message(topic, {"ts": yesterday, "lon": 13.4, "lat": 52.5, "speed_kmh": 31})
    counts = store(settings, [sent, sent])
    assert (counts.stored, counts.duplicate) == (1, 1)
    assert store(settings, [sent]).duplicate == 1
    [(day_of_it, subject, cell)] = owner.execute("SELECT day, subject, cell FROM personal.position").fetchall()
    assert day_of_it == from_us(yesterday * 1_000).astimezone(settings.zone).date()
    assert cell == h3.latlng_to_cell(52.5, 13.4, 9)
    assert len(subject) == 16
    assert b"car-9" not in subject
    assert one(owner, "SELECT count(*) FROM sensing.sensor") == 0


def test_one_vehicle_has_another_name_on_another_day(settings: Settings, owner: Connection) -> None:
    topic = "city/v1/probe/car-9/telemetry"
    today = NOW_US // 1_000
    store(settings, [message(topic, {"ts": today - age, "lon": 13.4, "lat": 52.5}) for age in (0, 1, 86_400_000)])
    found = owner.execute(
        "SELECT day, count(DISTINCT subject), count(*) FROM personal.position GROUP BY day ORDER BY day"
    ).fetchall()
    assert len(found) >= 2
    assert one(owner, "SELECT count(DISTINCT subject) FROM personal.position") == len(found)


def test_personal_readings_of_a_closed_day_are_buried_in_the_personal_room(
    settings: Settings, owner: Connection
) -> None:
    old = NOW_US // 1_000 - 5 * 86_400_000
    messages = [
        message("city/v1/probe/car-9/telemetry", {"ts": old, "lon": 13.4, "lat": 52.5}),
        message("city/v1/household/h-1/telemetry", b"\xff"),
    ]
    assert store(settings, messages).dead_lettered == 2
    assert letters(owner) == []
    reasons = [reason for _, reason in letters(owner, "personal")]
    assert "is closed" in reasons[0]
    assert "UTF-8" in reasons[1]


def test_households_keep_their_district_and_watt_hours(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', '{}')")
    ts = NOW_US // 1_000 - 900_000
    messages = [
        message("city/v1/household/h-1/telemetry", {"ts": ts, "energy_kwh": 0.2515, "district": place})
        for place in ("mitte", "atlantis")
    ]
    counts = store(settings, messages)
    assert (counts.stored, counts.dead_lettered) == (1, 1)
    assert one(owner, "SELECT energy_wh FROM personal.household") == 252
    assert letters(owner, "personal")[0][1] == "there is no district 'atlantis'"


def test_what_the_database_refuses_is_bisected_out(settings: Settings, owner: Connection) -> None:
    owner.execute("ALTER TABLE sensing.traffic ADD CONSTRAINT odd CHECK (flow_vph <> 13)")
    counts = store(
        settings, [message(TRAFFIC.format("t-1"), {"ts": START_MS + i * 1_000, "flow_vph": i}) for i in range(40)]
    )
    assert (counts.received, counts.stored, counts.dead_lettered) == (40, 39, 1)
    [(_, reason)] = letters(owner)
    assert reason.startswith("the database refuses it: new row for relation")
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 39


def test_a_database_of_another_version_is_no_fault_of_the_messages(settings: Settings, owner: Connection) -> None:
    owner.execute("ALTER TABLE sensing.traffic RENAME COLUMN occupancy TO occ")
    with pytest.raises(StorageError, match="run `arterial migrate`"):
        store(settings, [day("t-1")])
    assert letters(owner) == []


def test_a_dead_letter_that_is_refused_ends_the_process_not_the_message(settings: Settings, owner: Connection) -> None:
    owner.execute("ALTER TABLE sensing.dead_letter ADD CONSTRAINT odd CHECK (payload_bytes > 1000)")
    with pytest.raises(StorageError, match="stay with the broker"):
        store(settings, [message("unknown", b"x")])


def test_a_month_is_made_when_first_needed_and_again_when_it_was_dropped(
    settings: Settings, owner: Connection, hypertables: bool
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=700)
    sent = [message(TRAFFIC.format("t-1"), {"ts": int(long_ago.timestamp() * 1_000), "flow_vph": 1})]
    said = [decode(one_message, now_us=NOW_US) for one_message in sent]
    with Persistence(settings) as persistence:
        persistence.persist(Batch.of(sent, said), 1)
        month = f"DROP TABLE sensing.traffic_{long_ago:%Y_%m}"
        owner.execute("SELECT drop_chunks('sensing.traffic', now())" if hypertables else month)
        persistence.persist(Batch.of(sent, said), 2)
        assert persistence.counts.stored == 2
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 1


def test_a_dead_letter_that_comes_again_is_kept_once(settings: Settings, owner: Connection) -> None:
    bad = [message("unknown", b"x"), message("city/v1/probe/car-1/telemetry", b"{")]
    delivered_again = [structs.replace(one, received_us=NOW_US + 5_000_000, again=True) for one in bad]
    repeated = [structs.replace(one, received_us=NOW_US + 9_000_000) for one in bad]
    much_later = [structs.replace(one, received_us=NOW_US + 30 * 3_600_000_000, again=True) for one in bad]
    kept = []
    with Persistence(settings) as persistence:
        for sent, drained in (
            (bad, False),
            (delivered_again, False),  # the broker had no acknowledgement
            (repeated, False),  # a device that says so once more
            (repeated, True),  # a spool whose place was lost
            (much_later, False),  # longer ago than the broker keeps the session
        ):
            said = [decode(one, now_us=NOW_US) for one in sent]
            persistence.persist(Batch.of(sent, said), 10, drained=drained)
            counts = persistence.counts
            assert counts.dead_lettered == len(letters(owner)) + len(letters(owner, "personal"))
            kept.append((len(letters(owner)), len(letters(owner, "personal"))))
    assert kept == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3)]
    assert (counts.dead_lettered, counts.duplicate, counts.stored) == (6, 4, 0)


def test_many_large_dead_letters_are_written_in_parts(settings: Settings, owner: Connection) -> None:
    sizes = [0, 1, *range(60_000, 60_600), 1, 0]  # 36 MB: three statements
    assert sum(sizes) > 2 * dead_letters.AT_ONCE_BYTES
    counts = store(settings, [message("unknown", b"x" * size) for size in sizes])
    assert counts.dead_lettered == len(sizes)
    lengths = owner.execute("SELECT length(payload) FROM sensing.dead_letter ORDER BY id").fetchall()
    assert [row[0] for row in lengths] == sizes


def test_two_processes_with_the_same_messages_store_each_once(settings: Settings, owner: Connection) -> None:
    messages = [
        message(TRAFFIC.format(f"t-{i % 7}"), {"ts": START_MS + i * 1_000, "flow_vph": i}) for i in range(3_000)
    ]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda part: store(settings, part), (messages, messages[::-1]))
    assert first.stored + second.stored == 3_000
    assert first.duplicate + second.duplicate == 3_000
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 3_000


def test_topics_and_names_that_postgresql_cannot_hold_are_buried_readably(
    settings: Settings, owner: Connection
) -> None:
    messages = [message("city/\udcff\0/x", b"1"), message("city/v1/traffic/a\0b/telemetry", b"{}"), message("", b"{}")]
    assert store(settings, messages).dead_lettered == 3
    assert [topic for topic, _ in letters(owner)] == ["city/\\xff\\x00/x", "city/v1/traffic/a\\x00b/telemetry", ""]


def test_the_role_of_ingest_cannot_read_what_it_wrote_about_people(settings: Settings) -> None:
    with connect(settings.role_dsn("ingest"), application="test", autocommit=True) as ingest:
        for table in ("position", "household", "dead_letter", "day_key"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ingest.execute(f"SELECT 1 FROM personal.{table}")  # noqa: S608 - names of this file


def test_past_readings_count_as_received_when_they_would_have_been_live(settings: Settings, owner: Connection) -> None:
    items = [{"ts": START_MS, "flow_vph": 1}, {"ts": NOW_US // 1_000, "flow_vph": 2}]
    payload = orjson.dumps(items)
    topic = TRAFFIC.format("recorded")
    store(settings, [Message(topic=topic, payload=payload, received_us=NOW_US, delay_us=300_000_000)])

    rows = owner.execute("SELECT received_at FROM sensing.traffic ORDER BY observed_at").fetchall()
    assert rows == [
        (from_us(START_MS * 1_000 + 300_000_000),),  # when its interval ended
        (from_us(NOW_US),),  # never later than it really was
    ]
