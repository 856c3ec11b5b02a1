"""Code concerned with messages that wait on disk while the database is away: packed, unpacked, and erased in time.

The folder is the owner's alone (0700), its files too (0600), and what is in it is as the devices sent it. A
personal message is overwritten one hour before the retention of raw personal rows ends, counted from its receipt, by the
process that holds the spool: when it starts, and every ten minutes. When the rest is drained it counts as a dead letter
without bytes. Bytes that were damaged on disk may be personal as well, and are removed at the same age.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import msgspec

from ingest.decoders.catalogue import is_personal
from ingest.inbox import MOST_BATCH_BYTES
from ingest.routing import Routing
from ingest.spool import Position, Spool
from ingest.spool_frames import Lost
from services.domain import Decoded, Message, Rejected
from services.settings import Settings

_HOUR_S: Final = 3_600.0
_EVERY_S: Final = 600.0
_UNKNOWN_TOPIC: Final = "spool"


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A message on the disk; what an earlier version has written ends with `retained`."""

    topic: bytes
    payload: bytes
    received_us: int
    retained: bool
    again: bool = False


_PACK: Final = msgspec.msgpack.Encoder()
_UNPACK: Final = msgspec.msgpack.Decoder(_Record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """Messages read from the spool.

    Attributes:
        messages: in order of receipt.
        lost: what is to be said of those between them that are no longer there, one for each.
        end: the position after all of them.

    """

    messages: list[Message]
    lost: list[Decoded]
    end: Position

    def __len__(self) -> int:
        return len(self.messages) + len(self.lost)


class MessageSpool:
    """The spool of one ingest session."""

    def __init__(self, settings: Settings, routing: Routing) -> None:
        """Nothing is opened before `with`; `routing` tells which messages are personal."""
        folder = settings.data_dir.expanduser() / "spool" / quote(settings.mqtt_client_id, safe="")
        self.folder: Path = folder
        self._spool = Spool(folder, most_bytes=settings.ingest_spool_bytes)
        self._keep_s = settings.personal_retention.total_seconds() - _HOUR_S
        self._routing = routing
        self._erased_to: Position | None = None
        self._next_look = 0.0
        self._begun_at = 0

    def __enter__(self) -> Self:
        """Open it, and erase what is too old.

        Raises:
            ConfigurationError: another process uses the folder, or it cannot be written.

        """
        self._spool.__enter__()
        self._begun_at = self._spool.head.ordinal
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder free."""
        self._spool.__exit__()

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._spool)

    @property
    def size_bytes(self) -> int:
        """Size on disk [bytes]."""
        return self._spool.size_bytes

    @property
    def taken_in(self) -> int:
        """Messages that this process found in the spool or has put into it."""
        return self._spool.tail - self._begun_at

    def append(self, messages: Sequence[Message]) -> Position:
        """Put messages on the disk, all or none.

        Returns:
            The position after them.

        Raises:
            OSError: there is no room, or the disk fails.

        """
        encode = _PACK.encode
        return self._spool.append(
            [
                encode((m.topic.encode("utf-8", "surrogateescape"), m.payload, m.received_us, m.retained, m.again))
                for m in messages
            ]
        )

    def read(self, *, most: int, start: Position | None) -> Waited:
        """The next messages, about `most`, from the head or the end of an earlier read; empty at the end."""
        chunk = self._spool.read(most=most, most_bytes=MOST_BATCH_BYTES, start=start)
        messages = [
            Message(
                topic=record.topic.decode("utf-8", "surrogateescape"),
                payload=record.payload,
                received_us=record.received_us,
                retained=record.retained,
                again=record.again,
            )
            for record in map(_UNPACK.decode, chunk.records)
        ]
        hours = round(self._keep_s / _HOUR_S)
        erased = f"it was personal and waited more than {hours} h for the database: it is erased"
        damaged = f"its bytes were damaged on the disk of ingest; they are kept beside the spool for {hours} h"
        lost = [_said(erased)] * chunk.erased + [_said(damaged)] * chunk.damaged
        return Waited(messages=messages, lost=lost, end=chunk.end)

    def advance(self, end: Position) -> None:
        """Forget the messages before a position: they have found their end.

        Raises:
            OSError: the disk fails; the next process may read them again.

        """
        self._spool.advance(end)

    def expire(self) -> None:
        """Erase what is too old to be kept, when it is time to look for it.

        Raises:
            OSError: the disk fails.

        """
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _EVERY_S
        limit_us = int((time.time() - self._keep_s) * 1_000_000)

        def too_old(records: list[bytes | Lost]) -> list[int] | None:
            """The places of records that are personal, or may be; None where the first newer one comes."""
            found = []
            for place, record in enumerate(records):
                if isinstance(record, Lost):
                    found.append(place)
                    continue
                waiting = _UNPACK.decode(record)
                if waiting.received_us > limit_us:
                    return None
                if self._is_personal(waiting.topic.decode("utf-8", "surrogateescape"), waiting.payload):
                    found.append(place)
            return found

        self._erased_to = self._spool.erase(too_old, self._erased_to)
        self._spool.forget_damaged(older_than_s=self._keep_s)

    def _is_personal(self, topic: str, payload: bytes) -> bool:
        return is_personal(topic) or self._routing.find(topic, payload).personal

    def stand_in(self) -> Message:
        """A message in the place of one that is lost."""
        return Message(topic=_UNKNOWN_TOPIC, payload=b"", received_us=time.time_ns() // 1_000)


def _said(reason: str) -> Decoded:
    return Decoded(rejected=(Rejected(reason=reason),))
