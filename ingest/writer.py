"""Code concerned with writing a batch in one transaction: rows, dead letters, dirty hours and counters, all or none."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

import numpy as np
import psycopg

from ingest import binary_copy, registers
from ingest.batch import Batch
from ingest.committed import Committed, Follower
from ingest.counts import Counts, Settled
from ingest.directory import Directory
from ingest.merging import Merged, Stored, merge
from ingest.personal_rows import bike_trip_rows, charging_rows, claim_rows, household_rows, position_rows
from ingest.quality import Flags
from ingest.rows import HOUR_US, VALUE_COLUMNS, Integers, Rows, TableName
from ingest.succession import Learned, Memory, judge
from ingest.watch import Watch
from services.domain import Message, from_us
from services.settings import Settings
from services.storage import dead_letters, personal_intake, readings
from services.storage.database import Connection

_STAY_CAREFUL: Final = 32
_ATTEMPTS: Final = 3
_REASONS_SHOWN: Final = 5
_NO_KEYS: Final = np.empty((0, 2), dtype=np.int64)


class Writer:
    """Writes batches through one connection, which it does not own.

    The quick way copies rows straight into the table and lets the primary key object. Where a key is already there the
    careful way looks it up first and merges; it stays in use for the next batches, as repeats come in runs.
    """

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        *,
        client_id: str | None = None,
        watch: Watch | None = None,
        follower: Follower | None = None,
    ) -> None:
        """The connection must be in autocommit mode; with a client id the counters are kept in its session row."""
        self._connection = connection
        self._client_id = client_id
        self._watch = watch
        self._follower = follower
        self._committed: list[Committed] = []
        self._directory = Directory(settings)
        self._largest_letter = settings.ingest_max_payload_bytes
        self._kept_by_broker = timedelta(seconds=settings.mqtt_session_expiry_s)
        self._careful: dict[str, int] = {}
        self.memory = Memory(partial=settings.mqtt_share_group is not None)
        self.counts = Counts()

    def use(self, connection: Connection) -> None:
        """Go on with another connection, after the first was lost."""
        self._connection = connection
        self.forget()

    def forget(self) -> None:
        """Look up numbers and partitions anew, and with them what was remembered of sensors by number."""
        self._directory.forget()
        self.memory.forget()

    def write(
        self, batch: Batch, received: int, spooled: int = 0, *, drained: bool = False, again: bool = False
    ) -> Settled:
        """Write a batch and commit.

        Args:
            batch: the messages; its reasons are completed.
            received: all messages of the session so far, for the counters.
            spooled: how many of them were put into the spool.
            drained: whether this batch comes from there.
            again: whether it may have been written before, as no answer came.

        Raises:
            psycopg.Error: nothing of the batch was written.

        """
        begun = time.monotonic()
        self._directory.learn_sensors(self._connection, batch.sensors())
        tables = self._tables(batch)
        for rows in tables:
            self._directory.ensure_months(self._connection, rows.months())
        self._directory.follow_destruction(self._connection)
        positions = position_rows(self._connection, self._directory, batch)
        households = household_rows(self._connection, self._directory, batch)
        bike_trips = bike_trip_rows(self._connection, self._directory, batch)
        charging = charging_rows(self._connection, self._directory, batch)
        claims = claim_rows(self._connection, self._directory, batch)
        self._committed = []
        with self._connection.transaction():
            learned = [self._write_table(batch, rows) for rows in tables]
            self._write_personal(batch, "position", positions)
            self._write_personal(batch, "household", households)
            self._write_personal(batch, "bike_trip", bike_trips)
            self._write_personal(batch, "charging", charging)
            self._write_personal(batch, "claim", claims)
            self._describe(batch)
            self._bury(batch, again=again or drained)
            settled = batch.settled()
            counts = self.counts.taking_in(received, spooled).settling(settled, drained=drained)
            beat = self._save(counts)
        for news in learned:
            self.memory.learn(news)
        self.counts = counts
        if self._follower is not None:
            self._follower.keep(self._committed, self._directory.code)
        if self._watch is not None:
            self._watch.committed(beat, batch, time.monotonic() - begun)
        return settled

    def heartbeat(self, received: int, spooled: int = 0) -> None:
        """Write the counters although nothing was settled."""
        self._directory.follow_destruction(self._connection)
        counts = self.counts.taking_in(received, spooled)
        beat = self._save(counts)
        self.counts = counts
        if self._watch is not None:
            self._watch.committed(beat)

    def _save(self, counts: Counts) -> int | None:
        """Write the counters, and the heartbeat that goes with them; its number, to be told when it is committed."""
        beat = None if self._watch is None else self._watch.beat_for(counts)
        if self._client_id is not None:
            shown = counts.shown()
            columns = {
                "received": shown.received,
                "stored": shown.stored,
                "duplicate": shown.duplicate,
                "dead_lettered": shown.dead_lettered,
                "spooled": shown.spooled,
                "in_flight": shown.in_flight,
            }
            readings.count_session(self._connection, self._client_id, columns, beats=beat is not None)
        return beat

    def _tables(self, batch: Batch) -> list[Rows]:
        """The rows of each observation table; readings of a sensor that is of another kind are rejected."""
        found = []
        for table in batch.tables:
            numbers = [self._directory.ids(kind).get(code, -1) for code, kind in table.sensors]
            for sensor in [sensor for sensor, number in enumerate(numbers) if number < 0]:
                for place in table.messages_about(sensor):
                    batch.reject(place, self._directory.conflict(*table.sensors[sensor]))
            found.append(table.numbered(np.array(numbers, dtype=np.int64)))
        return [rows for rows in found if len(rows)]

    def _write_table(self, batch: Batch, rows: Rows) -> Learned:
        """Write rows, and return what is to be remembered of them when they are committed."""
        merged, flags, learned = self._merged_into_table(rows)
        if len(merged.completed) and rows.table != "observation":
            readings.complete(self._connection, rows.table, _completions(merged.completed))
        np.add.at(batch.fresh_rows, rows.message[merged.adds], 1)
        for place, reason in merged.contradictions:
            batch.reject(place, reason)
        for written in (merged.new, merged.completed):
            if len(written):
                self._mark_dirty(written.table, *written.hours())
        also = self._derive_power(merged) if rows.table == "energy" else _NO_KEYS
        if self._follower is not None:
            self._committed.append(Committed(rows=rows, new=merged.new, flags=flags, also=also))
        return learned

    def _derive_power(self, merged: Merged) -> Integers:
        """Give power to the registers of meters that report none; sensor and time of the rows that changed [k × 2]."""
        changed = [_NO_KEYS]
        for written, is_register in (
            (merged.new, np.isnan(merged.new.values[:, 0]) & ~np.isnan(merged.new.values[:, 1])),
            (merged.completed, ~np.isnan(merged.completed.values[:, 1])),
        ):
            if is_register.any():
                sensors, moments = registers.derive(self._connection, written.take(is_register))
                if len(sensors):
                    self._mark_dirty("energy", sensors, moments // HOUR_US * HOUR_US)
                    changed.append(np.column_stack((sensors, moments)))
        return np.concatenate(changed)

    def _merged_into_table(self, rows: Rows) -> tuple[Merged, Flags, Learned]:
        """Copy the new rows; on a key that is there already, look up and merge, again if another process was quicker.

        Returns:
            What was merged, the quality of each new row, and what is to be remembered.

        """
        careful = self._careful.get(rows.table, 0)
        for attempt in range(_ATTEMPTS):
            look_up = careful > 0 or attempt > 0
            merged = merge(rows, self._stored(rows) if look_up else None)
            flags, learned = judge(merged.new, self.memory)
            try:
                if len(merged.new):
                    order = merged.new.order()
                    columns = merged.new.take(order).columns(flags[order])
                    with self._connection.transaction():
                        readings.copy(self._connection, rows.table, binary_copy.blocks(columns))
            except psycopg.errors.UniqueViolation:
                careful = _STAY_CAREFUL
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        self._careful[rows.table] = max(0, careful - 1)
        return merged, flags, learned

    def _stored(self, rows: Rows) -> Stored:
        """What the table holds under the keys of these rows."""
        firsts = np.flatnonzero(~rows.repeats())
        quantities = None
        if rows.table == "observation":
            quantities = [rows.quantities[place] for place in rows.quantity[firsts].tolist()]
        found = readings.existing(
            self._connection,
            rows.table,
            rows.sensor_id[firsts].tolist(),
            rows.observed_us[firsts].tolist(),
            quantities,
        )
        values = np.array([row[1:] for row in found], dtype=np.float64).reshape(len(found), rows.values.shape[1])
        return Stored(places=firsts[[row[0] for row in found]], values=values)

    def _mark_dirty(self, table: TableName, sensors: Integers, hours: Integers) -> None:
        columns: list[binary_copy.Column | binary_copy.TextColumn] = [
            binary_copy.TextColumn(values=np.zeros(len(hours), dtype=np.int32), texts=(table,)),
            binary_copy.Column(values=sensors, wire=">i4"),
            binary_copy.moments(hours),
        ]
        readings.copy(self._connection, "dirty_hour", binary_copy.blocks(columns))

    def _write_personal(
        self, batch: Batch, what: personal_intake.What, rows: list[tuple[int, dict[str, object]]]
    ) -> None:
        if rows:
            new = personal_intake.keep(self._connection, what, [row for _, row in rows])
            for (place, _), is_new in zip(rows, new, strict=True):
                batch.fresh_rows[place] += is_new

    def _describe(self, batch: Batch) -> None:
        descriptions = []
        for meta, place in zip(batch.meta.items, batch.meta.message, strict=True):
            number = self._directory.ids(meta.kind).get(meta.sensor)
            if number is None:
                batch.reject(place, self._directory.conflict(meta.sensor, meta.kind))
                continue
            district = None if meta.district is None else self._directory.district(self._connection, meta.district)
            if meta.district is not None and district is None:
                batch.reject(place, f"there is no district {meta.district!r}; the rest of the description is stored")
            descriptions.append(
                {
                    "sensor_id": number,
                    "district_id": district,
                    "name": meta.name,
                    "lon": meta.lon,
                    "lat": meta.lat,
                    "unit": meta.unit,
                    "road": meta.road,
                    "free_flow_kmh": meta.free_flow_kmh,
                    "capacity_vph": meta.capacity_vph,
                    "limit_kw": meta.limit_kw,
                    "register_kwh": meta.register_kwh,
                    "step_seconds": meta.step_seconds,
                }
            )
        if descriptions:
            readings.describe_sensors(self._connection, descriptions)
        for status, place in zip(batch.status.items, batch.status.message, strict=True):
            number = self._directory.ids(status.kind).get(status.sensor)
            if number is None:
                batch.reject(place, self._directory.conflict(status.sensor, status.kind))
                continue
            moment = status.observed_us or batch.messages[place].received_us
            readings.note_status(self._connection, number, online=status.online, at=from_us(moment))

    def _bury(self, batch: Batch, *, again: bool) -> None:
        batch.known_letters = set()
        for personal in (False, True):
            places = [place for place in sorted(batch.reasons) if batch.is_personal(place) is personal]
            letters = [self._letter(batch.messages[place], batch.reasons[place], again=again) for place in places]
            new = dead_letters.bury(self._connection, letters, personal=personal)
            batch.known_letters |= set(places) - {places[number] for number in new}

    def _letter(self, message: Message, reasons: list[str], *, again: bool) -> dead_letters.Letter:
        """A message to be buried; what the broker delivers again may have come any time while it keeps the session."""
        received_at = from_us(message.received_us)
        since = received_at - self._kept_by_broker if message.again else received_at if again else None
        return dead_letters.Letter(
            received_at=received_at,
            since=since,
            topic=_storable(message.topic),
            payload=message.payload[: self._largest_letter],
            payload_bytes=len(message.payload),
            reason=_storable(_sentence(reasons)),
        )


def _completions(rows: Rows) -> list[dict[str, object]]:
    names = list(VALUE_COLUMNS[rows.table])
    return [
        {
            "sensor_id": sensor,
            "observed_at": from_us(observed_us),
            "received_at": from_us(received_us),
            "quality": flag,
            **{name: None if np.isnan(value) else value for name, value in zip(names, values, strict=True)},
        }
        for sensor, observed_us, received_us, flag, values in zip(
            rows.sensor_id.tolist(),
            rows.observed_us.tolist(),
            rows.received_us.tolist(),
            rows.flags().tolist(),
            rows.values.tolist(),
            strict=True,
        )
    ]


def _sentence(reasons: list[str]) -> str:
    shown = "; ".join(reasons[:_REASONS_SHOWN])
    more = len(reasons) - _REASONS_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _storable(text: str) -> str:
    """Text as PostgreSQL takes it: bytes that were not UTF-8, and NUL, are written out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
