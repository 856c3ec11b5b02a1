"""Code concerned with what the writer has looked up: sensor numbers, districts, months with partitions, day keys.

Everything here is committed before a batch begins, so a batch that fails leaves nothing behind but names.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final, Literal

import structlog

from services.domain import Kind, from_us
from services.local_day import day_of
from services.objections import ObjectionKey, load_objection_key
from services.settings import Settings
from services.storage import personal_intake, readings
from services.storage.database import Connection

_FOLLOW_S: Final = 15.0
"""How often it is asked which days were destroyed and who objected [s]."""

Station = tuple[int, int | None]
"""The number of a station and that of its district, None where it lies in none."""

log = structlog.get_logger()


class Directory:
    """Numbers and keys by name, looked up once."""

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.zone
        self._retention = settings.personal_retention
        self._ids: dict[str, dict[str, int]] = {}
        self._kinds: dict[str, str] = {}
        self._codes: dict[int, str] = {}
        self._months: set[str] = set()
        self._districts: dict[str, int] = {}
        self._stations: dict[str, dict[str, Station]] = {}
        self._keys: dict[tuple[personal_intake.Purpose, date], bytearray] = {}
        self._settings = settings
        self._objections: frozenset[bytes] = frozenset()
        self._objection_key: ObjectionKey | None = None
        self._closed_to_personal = False
        self._followed = -math.inf

    def forget(self) -> None:
        """Look everything up again: the database may have been restored or tidied in between."""
        self._ids.clear()
        self._kinds.clear()
        self._codes.clear()
        self._months.clear()
        self._districts.clear()
        self._stations.clear()
        self._forget_keys(list(self._keys))
        self._followed = -math.inf

    def learn_sensors(self, connection: Connection, kinds: Mapping[str, Kind]) -> None:
        """Number these sensors, registering those that are new."""
        unknown = {code: kinds[code].value for code in sorted(kinds.keys() - self._kinds.keys())}
        if unknown:
            readings.register_sensors(connection, unknown)
            for code, kind, number in readings.find_sensors(connection, unknown):
                self._kinds[code] = kind
                self._ids.setdefault(kind, {})[code] = number
                self._codes[number] = code

    def ids(self, kind: Kind) -> dict[str, int]:
        """Number of each known sensor of a kind by its code."""
        return self._ids.get(kind, {})

    def code(self, number: int) -> str:
        """The code of a sensor whose number is known."""
        return self._codes[number]

    def conflict(self, code: str, kind: Kind) -> str:
        """Why a sensor has no number under this kind."""
        return f"the sensor {code!r} is registered as {self._kinds.get(code)}, this message calls it {kind}"

    def district(self, connection: Connection, code: str) -> int | None:
        """The number of a district, None when there is no such district."""
        if code not in self._districts:
            self._districts = readings.districts(connection)
        return self._districts.get(code)

    def station(self, connection: Connection, purpose: Literal["bike", "charging"], code: str) -> Station | None:
        """Number and district of a station of the register, None when it has no such station."""
        known = self._stations.get(purpose, {})
        if code not in known:
            known = self._stations[purpose] = personal_intake.stations(connection, purpose)
        return known.get(code)

    def ensure_months(self, connection: Connection, months: list[str]) -> None:
        """Make the partitions of these months."""
        for month in months:
            if month not in self._months:
                readings.ensure_month(connection, month)
                self._months.add(month)

    def local_day(self, observed_us: int) -> date:
        """The day of the city in which a moment [µs since 1970 UTC] lies."""
        return day_of(from_us(observed_us), self._zone)

    def pseudonym(
        self, connection: Connection, purpose: personal_intake.Purpose, day: date, subject: str
    ) -> bytes | None:
        """The subject's name on that day: 16 bytes of HMAC-SHA256 under the day's key; None when the day is closed."""
        key = self._keys.get((purpose, day))
        if key is None:
            found = personal_intake.key_of_day(connection, purpose, day, self._oldest())
            if found is None:
                return None
            key = self._keys[purpose, day] = bytearray(found)
        return hmac.digest(key, subject.encode(), hashlib.sha256)[:16]

    def has_objected(self, purpose: personal_intake.Purpose, subject: str) -> bool:
        """Whether this subject's readings are dropped."""
        if self._objection_key is None:
            return self._closed_to_personal
        return self._objection_key.fingerprint(purpose, subject) in self._objections

    def follow_destruction(self, connection: Connection) -> None:
        """Forget the keys of days that are destroyed or over their age, and learn who objected; every few seconds anew."""
        if time.monotonic() - self._followed < _FOLLOW_S:
            return
        through, oldest = personal_intake.destroyed_through(connection), self._oldest()
        self._forget_keys(
            [known for known in self._keys if known[1] < oldest or known[1] <= through.get(known[0], date.min)]
        )
        self._learn_objections(personal_intake.objections(connection))
        self._followed = time.monotonic()

    def _learn_objections(self, rows: list[tuple[str, bytes, str]]) -> None:
        """Take over who objected; where that was written under another key, drop all personal readings rather than one too few."""
        self._objections = frozenset(fingerprint for _, fingerprint, _ in rows)
        self._objection_key = load_objection_key(self._settings, make=False) if rows else None
        name = None if self._objection_key is None else self._objection_key.name
        if any(key_name != name for _, _, key_name in rows):
            if not self._closed_to_personal:
                log.error("personal readings are dropped: people objected under another ARTERIAL_PRIVACY_OBJECTION_KEY")
            self._objection_key, self._closed_to_personal = None, True
        else:
            self._closed_to_personal = False

    def _oldest(self) -> date:
        """The oldest day that may still have a key."""
        return day_of(datetime.now(UTC) - self._retention, self._zone)

    def _forget_keys(self, known: list[tuple[personal_intake.Purpose, date]]) -> None:
        """Overwrite keys and drop them."""
        for place in known:
            key = self._keys.pop(place)
            key[:] = bytes(len(key))
