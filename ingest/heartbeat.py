"""Code concerned with the heartbeat: a message of our own that goes the whole way, so that silence can be told from a stall.

It is published, comes back from the broker on a subscription, takes its place behind every message received before it,
and is committed with the counters once all of those have found their end. It is not a message of the equation.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from typing import Final
from urllib.parse import quote

_PREFIX: Final = "arterial/heartbeat/"
_REMEMBERED: Final = 16
_PATIENCE: Final = 2.5
"""Red after this many periods without a round trip: one beat may be lost, as they travel at QoS 0."""


class Heartbeat:
    """Beats on their way. The session's thread sends and hears them, the writer's commits them, any may ask."""

    def __init__(self, client_id: str, every_s: float) -> None:
        """A beat every so many seconds; 0 sends none."""
        self.topic = _PREFIX + quote(client_id, safe="")
        self.sent = 0
        self.round_trips = 0
        self.round_trip_s: float | None = None
        self._every_s = every_s
        self._own = secrets.token_hex(8)
        self._begun = time.monotonic()
        self._next = 0.0
        self._passed: float | None = None
        self._away: OrderedDict[int, float] = OrderedDict()
        self._back: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether any are sent."""
        return self._every_s > 0

    def beat(self) -> bytes | None:
        """The payload of a beat to publish now, when one is due."""
        now = time.monotonic()
        if not self.is_on or now < self._next:
            return None
        with self._lock:
            self._next = now + self._every_s
            self.sent += 1
            self._away[self.sent] = now
            if len(self._away) > _REMEMBERED:
                self._away.popitem(last=False)
            return f"{self._own} {self.sent}".encode()

    def hear(self, payload: bytes, *, received: int) -> None:
        """Take a beat that came back, behind so many received messages; what another process sent means nothing."""
        own, _, number = payload.decode("utf-8", "replace").partition(" ")
        if own == self._own and number.isdecimal() and len(number) < _REMEMBERED:
            with self._lock:
                if int(number) in self._away:
                    self._back.append((received, int(number)))

    def ready(self, ended: int) -> int | None:
        """The newest beat to be committed now that so many messages have found their end; None without one."""
        with self._lock:
            return max((number for behind, number in self._back if behind <= ended), default=None)

    def committed(self, number: int) -> None:
        """Note that a beat has gone the whole way."""
        now = time.monotonic()
        with self._lock:
            sent = self._away.get(number)
            if sent is not None:
                self.round_trip_s = now - sent
                self._passed = now
                self.round_trips += 1
            for older in [one for one in self._away if one <= number]:
                del self._away[older]
            self._back = deque((pair for pair in self._back if pair[1] > number), maxlen=_REMEMBERED)

    def age_s(self) -> float | None:
        """Time since a beat last went the whole way [s]; None before the first."""
        return None if self._passed is None else time.monotonic() - self._passed

    def trouble(self) -> str | None:
        """Why the path is not to be trusted, as a sentence; None while beats go through."""
        if not self.is_on:
            return None
        age_s = self.age_s()
        if age_s is not None and age_s <= _PATIENCE * self._every_s:
            return None
        waited = "none has yet" if age_s is None else f"the last did {age_s:.0f} s ago"
        where = (
            "it came back from the broker and waits for the database or for messages before it"
            if self._back
            else f"it does not come back from the broker on {self.topic}: does the broker answer, and may this user publish and read there?"
            if self._away
            else "none is on its way, as there is no session with the broker"
        )
        return f"no heartbeat has gone the whole way: {waited}; {where}"
