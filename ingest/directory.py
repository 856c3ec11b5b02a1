"""Code concerned with what the writer has looked up: sensor numbers, districts, months with partitions, day keys.

Everything here is committed before a batch begins, so a batch that fails leaves nothing behind but names.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime

from services.domain import Kind, from_us
from services.local_day import day_of
from services.settings import Settings
from services.storage import personal_intake, readings
from services.storage.database import Connection


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
        self._keys: dict[tuple[personal_intake.Purpose, date], bytes] = {}

    def forget(self) -> None:
        """Look everything up again: the database may have been restored or tidied in between."""
        self._ids.clear()
        self._kinds.clear()
        self._codes.clear()
        self._months.clear()
        self._districts.clear()
        self._keys.clear()

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
        oldest = day_of(datetime.now(UTC) - self._retention, self._zone)
        for known in [known for known in self._keys if known[1] < oldest]:
            del self._keys[known]
        key = self._keys.get((purpose, day))
        if key is None:
            key = personal_intake.key_of_day(connection, purpose, day, oldest)
            if key is None:
                return None
            self._keys[purpose, day] = key
        return hmac.digest(key, subject.encode(), hashlib.sha256)[:16]
