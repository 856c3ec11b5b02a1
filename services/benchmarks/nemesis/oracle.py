"""Code concerned with the judgement: what the devices' journal says against what the database holds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from services.benchmarks.nemesis import payloads
from services.benchmarks.nemesis.journal import Expectation, Journal
from services.storage.nemesis import Reading

Identity = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What became of the readings of a journal; identities are device and sequence number.

    Attributes:
        published: readings the broker acknowledged, each counted once.
        publishes: acknowledgements of messages, repeated ones too.
        stored: of the readings in the table, with the content that was sent.
        dead_lettered: of the readings among the dead letters.
        lost: acknowledged, and neither stored nor dead-lettered.
        doubled: stored more than once.
        altered: stored with another content than was sent.
        misplaced: good ones among the dead letters, or bad ones in the table.
        invented: stored, but never sent.
        messages: how many messages are in the table with all they said.

    """

    published: int
    publishes: int
    stored: int
    dead_lettered: int
    lost: tuple[Identity, ...]
    doubled: tuple[Identity, ...]
    altered: tuple[Identity, ...]
    misplaced: tuple[Identity, ...]
    invented: tuple[Identity, ...]
    messages: int


def judge(journal: Journal, rows: Iterable[Reading], letters: Iterable[bytes], *, prefix: str) -> Judgement:
    """Compare a journal with the database.

    Args:
        journal: what the devices sent and what the broker acknowledged.
        rows: every reading of the database; one without a number is known by its fingerprint.
        letters: payload of every dead letter.
        prefix: how the names of this journal's devices begin; other devices are left out.

    """
    held: Counter[Identity] = Counter()
    content: dict[Identity, str] = {}
    known = {entry.sha256: identity for identity, entry in journal.sent.items()}
    for device, seq, observed_at, flow, speed, occupancy in rows:
        if device.startswith(prefix):
            number = payloads.UNNUMBERED if seq is None else seq
            mark = payloads.fingerprint(payloads.reading(number, observed_at, (flow, speed, occupancy)))
            identity = (device, seq) if seq is not None else known.get(mark, (device, number))
            held[identity] += 1
            content[identity] = mark
    buried = {payloads.fingerprint(letter) for letter in letters}
    is_buried = {identity: entry.sha256 in buried for identity, entry in journal.sent.items()}
    is_stored = {identity: content.get(identity) == entry.sha256 for identity, entry in journal.sent.items()}
    refused = {(e.device, e.message) for e in journal.sent.values() if e.expectation is Expectation.DEAD_LETTERED}
    whole = {(i[0], journal.sent[i].message) for i in held if i in journal.sent}
    return Judgement(
        published=len(journal.acknowledged),
        publishes=journal.publishes,
        stored=sum(is_stored[identity] for identity in journal.acknowledged),
        dead_lettered=sum(is_buried[identity] for identity in journal.acknowledged),
        lost=tuple(i for i in journal.acknowledged if not is_stored[i] and not is_buried[i]),
        doubled=tuple(i for i, times in held.items() if times > 1),
        altered=tuple(i for i in held if i in journal.sent and not is_stored[i]),
        misplaced=tuple(
            i
            for i, entry in journal.sent.items()
            if (is_buried[i] and entry.expectation is Expectation.STORED)
            or (i in held and entry.expectation is Expectation.DEAD_LETTERED)
        ),
        invented=tuple(i for i in held if i not in journal.sent),
        messages=len(whole - refused),
    )
