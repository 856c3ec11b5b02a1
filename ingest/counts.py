"""Code concerned with the promise: received = stored + duplicate + dead_lettered + spooled + in_flight, in messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum


class Fate(IntEnum):
    """Where a message ended."""

    STORED = 0
    DUPLICATE = 1
    DEAD_LETTERED = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """How personal messages ended, and how many rows they made."""

    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    rows: int = 0

    def and_(self, more: Personal) -> Personal:
        """Both together."""
        return Personal(
            stored=self.stored + more.stored,
            duplicate=self.duplicate + more.duplicate,
            dead_lettered=self.dead_lettered + more.dead_lettered,
            rows=self.rows + more.rows,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What one ingest session did so far; each change returns a new value in which the equation still holds."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    spooled: int = 0
    in_flight: int = 0
    rows: int = 0
    drained: int = 0
    """Of those at their end, how many got there by way of the spool."""
    personal: Personal = Personal()
    """Of those at their end, the personal ones."""

    def taking_in(self, received: int, spooled: int) -> Counts:
        """When so many have arrived in all, and so many of them were put into the spool."""
        waiting = spooled - self.drained
        in_flight = received - (self.stored + self.duplicate + self.dead_lettered) - waiting
        return replace(self, received=received, spooled=waiting, in_flight=in_flight)

    def receiving(self, messages: int) -> Counts:
        """After `messages` more have arrived."""
        return replace(self, received=self.received + messages, in_flight=self.in_flight + messages)

    def settling(self, settled: Settled, *, drained: bool = False) -> Counts:
        """After some of the messages in flight, or of those in the spool, have found their end."""
        from_spool = settled.messages if drained else 0
        return replace(
            self,
            stored=self.stored + settled.stored,
            duplicate=self.duplicate + settled.duplicate,
            dead_lettered=self.dead_lettered + settled.dead_lettered,
            spooled=self.spooled - from_spool,
            in_flight=self.in_flight - (settled.messages - from_spool),
            rows=self.rows + settled.rows,
            drained=self.drained + from_spool,
            personal=self.personal.and_(settled.personal),
        )

    def and_(self, more: Counts) -> Counts:
        """What two sessions did together."""
        return Counts(
            received=self.received + more.received,
            stored=self.stored + more.stored,
            duplicate=self.duplicate + more.duplicate,
            dead_lettered=self.dead_lettered + more.dead_lettered,
            spooled=self.spooled + more.spooled,
            in_flight=self.in_flight + more.in_flight,
            rows=self.rows + more.rows,
            drained=self.drained + more.drained,
            personal=self.personal.and_(more.personal),
        )

    def shown(self) -> Counts:
        """What the API may show: as though personal messages had never come, but for those that are on their way just now.

        How many there were at which moment would say, exactly, whether somebody was there. The figures of the process itself
        hold all messages: they are for who runs it, who could read the rows too.
        """
        hidden = self.personal
        return replace(
            self,
            received=self.received - (hidden.stored + hidden.duplicate + hidden.dead_lettered),
            stored=self.stored - hidden.stored,
            duplicate=self.duplicate - hidden.duplicate,
            dead_lettered=self.dead_lettered - hidden.dead_lettered,
            rows=self.rows - hidden.rows,
        )

    @property
    def ended(self) -> int:
        """How many messages are no longer in flight."""
        return self.stored + self.duplicate + self.dead_lettered + self.spooled

    def holds(self) -> bool:
        """Whether every message is accounted for."""
        return self.received == self.ended + self.in_flight and min(self.in_flight, self.spooled) >= 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """How the messages of one transaction ended, and how many rows they made; and of them the personal ones."""

    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    rows: int = 0
    personal: Personal = Personal()

    @property
    def messages(self) -> int:
        """How many messages ended."""
        return self.stored + self.duplicate + self.dead_lettered

    @classmethod
    def of(cls, fates: list[Fate], rows: int) -> Settled:
        """Count fates."""
        return cls(
            stored=fates.count(Fate.STORED),
            duplicate=fates.count(Fate.DUPLICATE),
            dead_lettered=fates.count(Fate.DEAD_LETTERED),
            rows=rows,
        )
