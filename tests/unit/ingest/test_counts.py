"""The promise: received = stored + duplicate + dead_lettered + spooled + in_flight, after every step."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ingest.counts import Counts, Fate, Personal, Settled


class Ingest(RuleBasedStateMachine):
    """Messages arrive and end in any order a service could see; an independent tally of both is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()
        self.waiting = 0
        self.on_disk = 0
        self.put_on_disk = 0
        self.ended: list[Fate] = []

    @rule(messages=st.integers(0, 50))
    def arrive(self, messages: int) -> None:
        self.counts = self.counts.receiving(messages)
        self.waiting += messages

    @rule(fates=st.lists(st.sampled_from(Fate), max_size=20), rows=st.integers(0, 100))
    def settle(self, fates: list[Fate], rows: int) -> None:
        fates = fates[: self.waiting]
        self.counts = self.counts.settling(Settled.of(fates, rows))
        self.waiting -= len(fates)
        self.ended += fates

    @rule(messages=st.integers(0, 20))
    def spool(self, messages: int) -> None:
        messages = min(messages, self.waiting)
        self.waiting -= messages
        self.on_disk += messages
        self.put_on_disk += messages
        self.counts = self.counts.taking_in(self.counts.received, self.put_on_disk)

    @rule(fates=st.lists(st.sampled_from(Fate), max_size=20), arrived=st.integers(0, 5))
    def drain(self, fates: list[Fate], arrived: int) -> None:
        fates = fates[: self.on_disk]
        self.waiting += arrived
        now = self.counts.taking_in(self.counts.received + arrived, self.put_on_disk)
        self.counts = now.settling(Settled.of(fates, 0), drained=True)
        self.on_disk -= len(fates)
        self.ended += fates

    @invariant()
    def equation_holds(self) -> None:
        assert self.counts.holds()
        assert self.counts.received == self.waiting + self.on_disk + len(self.ended)
        assert self.counts.spooled == self.on_disk
        assert self.counts.in_flight == self.waiting
        assert self.counts.stored == self.ended.count(Fate.STORED)
        assert self.counts.dead_lettered == self.ended.count(Fate.DEAD_LETTERED)


TestIngest = Ingest.TestCase


def test_a_lost_message_would_be_noticed() -> None:
    assert not Counts(received=2, stored=1).holds()
    assert not Counts(received=1, stored=2, in_flight=-1).holds()


def test_others_see_the_counts_as_though_personal_messages_had_never_come() -> None:
    settled = Settled(
        stored=7,
        duplicate=2,
        dead_lettered=1,
        rows=9,
        personal=Personal(stored=3, duplicate=1, dead_lettered=1, rows=5),
    )
    counts = Counts().taking_in(12, 0).settling(settled).settling(Settled())
    shown = counts.shown()
    assert (counts.received, counts.stored, counts.duplicate, counts.dead_lettered) == (12, 7, 2, 1)
    assert (shown.received, shown.stored, shown.duplicate, shown.dead_lettered, shown.rows) == (7, 4, 1, 0, 4)
    assert counts.holds()
    assert shown.holds()
