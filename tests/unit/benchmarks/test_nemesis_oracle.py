"""The judgement of the nemesis finds each way in which a message can go wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.benchmarks.nemesis import payloads
from services.benchmarks.nemesis.faults import CATALOGUE, schedule
from services.benchmarks.nemesis.journal import Entry, Expectation, Journal, JournalWriter, read
from services.benchmarks.nemesis.oracle import judge
from services.benchmarks.nemesis.peers import judge_peer
from services.storage.nemesis import Reading

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def row(seq: int, device: str = "storm-1") -> Reading:
    return (device, seq, START + timedelta(microseconds=seq), *payloads.values(device, seq))


def sent(seq: int, *, acknowledged: bool = True, poison: bool = False) -> Journal:
    device, _, observed_at, *content = row(seq)
    payload = (
        payloads.poison(device, seq)
        if poison
        else payloads.reading(seq, observed_at, (content[0], content[1], content[2]))
    )
    expectation = Expectation.DEAD_LETTERED if poison else Expectation.STORED
    entry = Entry(device=device, seq=seq, message=seq, expectation=expectation, sha256=payloads.fingerprint(payload))
    key = (device, seq)
    return Journal(sent={key: entry}, acknowledged={key: entry} if acknowledged else {}, publishes=1)


def test_what_was_acknowledged_and_stored_or_buried_is_clean() -> None:
    found = judge(sent(1), [row(1)], [], prefix="storm")
    assert (found.published, found.stored, found.dead_lettered) == (1, 1, 0)
    assert (found.lost, found.doubled, found.altered, found.misplaced, found.invented) == ((), (), (), (), ())
    buried = judge(sent(2, poison=True), [], [payloads.poison("storm-1", 2)] * 2, prefix="storm")
    assert (buried.stored, buried.dead_lettered, buried.lost, buried.misplaced) == (0, 1, (), ())


def test_an_acknowledged_message_that_is_nowhere_is_lost() -> None:
    assert judge(sent(1), [], [], prefix="storm").lost == (("storm-1", 1),)


def test_an_unacknowledged_message_may_be_nowhere() -> None:
    assert judge(sent(1, acknowledged=False), [], [], prefix="storm").lost == ()


def test_a_message_stored_under_two_stamps_is_doubled() -> None:
    device, seq, observed_at, *content = row(1)
    late: Reading = (device, seq, observed_at + timedelta(hours=1), content[0], content[1], content[2])
    assert judge(sent(1), [row(1), late], [], prefix="storm").doubled == (("storm-1", 1),)


def test_a_row_with_another_value_is_altered_and_its_message_lost() -> None:
    device, seq, observed_at, flow, speed, occupancy = row(1)
    found = judge(sent(1), [(device, seq, observed_at, flow + 1, speed, occupancy)], [], prefix="storm")
    assert (found.altered, found.lost) == ((("storm-1", 1),), (("storm-1", 1),))


def test_a_good_message_among_the_dead_letters_is_misplaced() -> None:
    observed_at = START + timedelta(microseconds=1)
    letter = payloads.reading(1, observed_at, payloads.values("storm-1", 1))
    found = judge(sent(1), [], [letter], prefix="storm")
    assert (found.misplaced, found.lost) == ((("storm-1", 1),), ())


def test_a_row_that_nobody_sent_is_invented_unless_it_is_of_other_devices() -> None:
    found = judge(Journal(), [row(1), row(1, "first-1")], [], prefix="storm")
    assert found.invented == (("storm-1", 1),)


def test_a_peer_is_judged_by_the_good_readings_it_lost_or_doubled() -> None:
    journal = Journal()
    for seq in (1, 2, 3):
        journal.acknowledged |= sent(seq).acknowledged
    journal.acknowledged |= sent(4, poison=True).acknowledged
    journal.publishes = 5
    first, second = ((seq, *payloads.values("storm-1", seq)) for seq in (1, 2))
    found = judge_peer(journal, [first, second, second, second])
    assert found == {"published": 3, "stored": 2, "lost": 1, "doubled": 2, "repeated": 1}


def test_a_journal_is_read_as_it_was_written_without_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "storm.journal"
    entry = sent(1).sent["storm-1", 1]
    with JournalWriter(path) as journal:
        journal.sent([entry])
        journal.acknowledged([entry, entry])
    with path.open("a") as file:
        file.write("acked storm-1 2 sto")
    found = read(path)
    assert (found.sent, found.acknowledged, found.publishes) == (sent(1).sent, sent(1).sent, 2)


def test_a_seed_decides_the_schedule_and_every_kind_comes_up() -> None:
    names = sorted(CATALOGUE)
    one, same, other = (schedule(names, CATALOGUE, faults=3 * len(names), seconds=60, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert {fault.name for fault in one[: len(names)]} | {fault.name for fault in one} == set(names)
    assert [fault.at_s for fault in one] == sorted(fault.at_s for fault in one)


@pytest.mark.parametrize("seconds", [60.0, 3_600.0])
def test_only_long_runs_have_outages_of_minutes(seconds: float) -> None:
    planned = schedule(["postgres_away"], CATALOGUE, faults=200, seconds=seconds, seed=1)
    assert (max(fault.lasts_s for fault in planned) > 60) is (seconds > 600)
