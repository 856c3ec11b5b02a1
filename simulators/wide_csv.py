"""Code concerned with wide CSV files: first column time, one column per sensor, and beside it perhaps a `sensors.csv`.

`sensors.csv` has the columns id, name, lon, lat, kind, unit; only id is needed. A time with an offset is taken as it is, one
without is local. Values may be empty, NA or NaN; with semicolons between columns a decimal comma is understood.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from services.domain import Kind, to_us
from services.errors import InputError
from simulators.recordings import RecordedSensor, Recording
from simulators.streams import Ints
from simulators.wall_clock import to_utc

SENSORS_FILE = "sensors.csv"
_NO_VALUE = frozenset({"", "na", "nan", "null", "none", "-"})
_FIELDS: dict[Kind, dict[str, tuple[str, float]]] = {
    Kind.TRAFFIC: {
        "veh/h": ("flow_vph", 1.0),
        "km/h": ("speed_kmh", 1.0),
        "mph": ("speed_kmh", 1.609344),
        "share": ("occupancy", 1.0),
        "%": ("occupancy", 0.01),
    },
    Kind.ENERGY: {
        "kw": ("power_kw", 1.0),
        "w": ("power_kw", 0.001),
        "mw": ("power_kw", 1_000.0),
        "kwh": ("energy_kwh", 1.0),
        "mwh": ("energy_kwh", 1_000.0),
    },
}
_ENVIRONMENT_FIELDS = {
    "°c": "temperature_c",
    "c": "temperature_c",
    "%": "humidity_percent",
    "µg/m3": "pm2_5_ug_m3",
    "db": "noise_db",
}


def read_wide_csv(path: Path, zone: ZoneInfo) -> Recording:
    """The recording of one file.

    Args:
        path: the file; a `sensors.csv` in the same folder describes its columns.
        zone: of times without an offset.

    Raises:
        InputError: what is wrong, with row (1 is the header) and column.

    """
    rows = _rows(path)
    try:
        header = next(rows)
    except StopIteration:
        message = f"{path.name} is empty"
        raise InputError(message) from None
    codes = [name.strip() for name in header[1:]]
    _check_header(path, codes)
    described = _described(path, codes)
    stamps: list[str] = []
    values: list[list[float]] = []
    for number, row in enumerate(rows, start=2):
        if not row or (len(row) == 1 and not row[0].strip()):
            continue
        if len(row) != len(header):
            message = f"{path.name}, row {number}: {len(row)} columns, but the header has {len(header)}"
            raise InputError(message)
        stamps.append(row[0].strip())
        values.append([_number(path, number, column, text) for column, text in enumerate(row[1:], start=2)])
    if len(stamps) < 2:
        message = f"{path.name} has {len(stamps)} rows of values: at least two are needed"
        raise InputError(message)
    times_us = _times(path, stamps, zone)
    table = np.array(values)
    step_s = int(np.median(np.diff(times_us)) // 1_000_000)
    sensors = tuple(
        _sensor(path, code, position + 2, described, table[:, position], step_s) for position, code in enumerate(codes)
    )
    return Recording(name=path.name, zone=zone, times_us=times_us, step_s=step_s, sensors=sensors)


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise InputError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path.name} is not UTF-8 text, at byte {error.start}: save it as CSV in UTF-8"
        raise InputError(message) from error
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    if delimiter == ";":
        return ([cell.replace(",", ".") if number else cell for number, cell in enumerate(row)] for row in rows)
    return iter(rows)


def _check_header(path: Path, codes: list[str]) -> None:
    if not codes:
        message = f"{path.name} has one column: the first is time, then comes one per sensor (between them , ; or tab)"
        raise InputError(message)
    for position, code in enumerate(codes):
        if not code or set(code) & set("/+#"):
            message = f"{path.name}, column {position + 2}: {code!r} cannot name a sensor: it is empty or has / + #"
            raise InputError(message)
        if codes.index(code) != position:
            message = (
                f"{path.name}, column {position + 2}: the sensor {code!r} is already in column {codes.index(code) + 2}"
            )
            raise InputError(message)


def _number(path: Path, row: int, column: int, text: str) -> float:
    text = text.strip()
    if text.lower() in _NO_VALUE:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        message = f"{path.name}, row {row}, column {column}: {text!r} is not a number"
        raise InputError(message) from None
    if not np.isfinite(value):
        message = f"{path.name}, row {row}, column {column}: {text!r} is not a finite number"
        raise InputError(message)
    return value


def _times(path: Path, stamps: list[str], zone: ZoneInfo) -> Ints:
    moments = []
    for number, text in enumerate(stamps, start=2):
        try:
            moments.append(datetime.fromisoformat(text))
        except ValueError:
            message = f"{path.name}, row {number}, column 1: {text!r} is not a time such as 2024-06-01 08:00"
            raise InputError(message) from None
    aware = [moment.tzinfo is not None for moment in moments]
    if any(aware) and not all(aware):
        odd = aware.index(not aware[0]) + 2
        message = f"{path.name}, row {odd}: this time {'has' if not aware[0] else 'lacks'} an offset, unlike the first"
        raise InputError(message)
    if aware[0]:
        times_us = np.array([to_us(moment) for moment in moments], dtype=np.int64)
    else:
        times_us, never, _ = to_utc(moments, zone)
        if never.any():
            number = int(np.argmax(never)) + 2
            message = (
                f"{path.name}, row {number}: {stamps[number - 2]!r} never happened in {zone.key}, clocks skipped it"
            )
            raise InputError(message)
    backwards = np.diff(times_us) <= 0
    if backwards.any():
        number = int(np.argmax(backwards)) + 3
        message = f"{path.name}, row {number}: {stamps[number - 2]!r} is not later than the row before"
        raise InputError(message)
    return times_us


def _described(path: Path, codes: list[str]) -> dict[str, dict[str, str]] | None:
    """The rows of `sensors.csv` by id, None when there is no such file."""
    file = path.with_name(SENSORS_FILE)
    if not file.exists():
        return None
    rows = _rows(file)
    header = [name.strip().lower() for name in next(rows, [])]
    if "id" not in header:
        message = f"{SENSORS_FILE} has no column id: its columns are id, name, lon, lat, kind, unit"
        raise InputError(message)
    found = {}
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            message = f"{SENSORS_FILE}, row {number}: {len(row)} columns, but the header has {len(header)}"
            raise InputError(message)
        one = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        if row:
            found[one["id"]] = {**one, "row": str(number)}
    for position, code in enumerate(codes):
        if code not in found:
            message = f"{path.name}, column {position + 2}: the sensor {code!r} is not in {SENSORS_FILE}"
            raise InputError(message)
    return found


def _sensor(
    path: Path, code: str, column: int, described: dict[str, dict[str, str]] | None, values: Any, step_s: int
) -> RecordedSensor:
    about = {} if described is None else described[code]
    where = f"{SENSORS_FILE}, row {about['row']}" if about else f"{path.name}, column {column}"
    kind = _kind(about.get("kind", ""), where)
    unit = about.get("unit", "")
    field, factor = _field(kind, unit, where)
    meta = {
        "name": about.get("name") or code,
        "unit": unit or None,
        "step_seconds": step_s if 1 <= step_s <= 86_400 else None,
        "lon": _degrees(about.get("lon", ""), "lon", 180, where),
        "lat": _degrees(about.get("lat", ""), "lat", 90, where),
    }
    return RecordedSensor(code=code, kind=kind, meta=meta, values={field: values * factor})


def _kind(text: str, where: str) -> Kind:
    fixed = (Kind.TRAFFIC, Kind.ENERGY, Kind.ENVIRONMENT)
    if not text:
        return Kind.ENVIRONMENT
    if text.lower() not in fixed:
        message = f"{where}: the kind {text!r} is not one of {', '.join(fixed)}"
        raise InputError(message)
    return Kind(text.lower())


def _field(kind: Kind, unit: str, where: str) -> tuple[str, float]:
    """The field a unit is stored in and the factor to its SI unit; traffic counts veh/h and energy kW where not said."""
    known = _FIELDS.get(kind)
    if known is None:
        name = re.sub(r"[^a-z0-9]+", "_", unit.lower()).strip("_")
        return _ENVIRONMENT_FIELDS.get(unit.lower(), f"value_{name}" if name else "value"), 1.0
    if not unit:
        return next(iter(known.values()))
    if unit.lower() not in known:
        message = f"{where}: the unit {unit!r} of {kind} is not one of {', '.join(known)}"
        raise InputError(message)
    return known[unit.lower()]


def _degrees(text: str, name: str, most: float, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = np.inf
    if not abs(value) <= most:
        message = f"{where}: {name} is {text!r}, but a number from -{most} to {most} is expected"
        raise InputError(message)
    return value
