"""Code concerned with the mapping of an InfluxDB bucket: which measurement, tags and fields are which sensor and columns.

A mapping is a TOML file; `docs/influx.md` explains it. Pure.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from ingest.decoders.checks import is_quantity, quantity_name, sensor_code
from ingest.influx.line_protocol import Point
from ingest.rows import VALUE_COLUMNS
from services.errors import InputError

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_EXAMPLE: Final = """\
[[series]]
measurement = "detector"
kind = "traffic"
sensor = "{site}-{lane}"
[series.fields]
flow = "flow_vph"
speed = { to = "speed_kmh", times = 1.609344 }"""


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a field goes: a column of the kind or a quantity, or `{tag}` that names it; multiplied, then added to."""

    to: str
    times: float = 1.0
    plus: float = 0.0


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The points of one measurement.

    Attributes:
        measurement: its name in the bucket.
        kind: of the sensors; personal kinds are not imported.
        sensor: the sensor's code, with `{tag}` where the value of a tag stands.
        fields: column or quantity by name of the field; other fields are left out.
        where: only points with these values of tags.
        interval_s: length of the measuring interval [s], 0 for instants; readings count as received at its end.
        stamp: whether a point's time is the start or the end of its interval.

    """

    measurement: str
    kind: Literal["traffic", "energy", "environment"]
    sensor: str
    fields: dict[str, str | Field]
    where: dict[str, str] = {}
    interval_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    stamp: Literal["start", "end"] = "start"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    series: list[Series]


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """What one point says of a sensor.

    Attributes:
        series: place of the series in the mapping.
        sensor: its code.
        observed_us: start of the interval [µs since 1970 UTC].
        values: by column or quantity.

    """

    series: int
    sensor: str
    observed_us: int
    values: dict[str, float]


class Mapping:
    """A mapping that makes sense."""

    def __init__(self, series: list[Series]) -> None:
        """The series of a file, checked."""
        self.series = series
        self._fields = [
            {name: Field(to=to) if isinstance(to, str) else to for name, to in one.fields.items()} for one in series
        ]
        self._of: dict[str, list[int]] = {}
        for place, one in enumerate(series):
            self._of.setdefault(one.measurement, []).append(place)

    def values(self, point: Point) -> Values | None:
        """What a point says of a sensor; None when no series is about it, or it has none of the mapped fields.

        Raises:
            InputError: it is about a sensor but cannot be used; the message says why.

        """
        for place in self._of.get(point.measurement, ()):
            one = self.series[place]
            if all(point.tags.get(name) == value for name, value in one.where.items()):
                values = dict(_converted(self._fields[place], point))
                if values:
                    return Values(
                        series=place,
                        sensor=_sensor(one.sensor, point.tags),
                        observed_us=_observed_us(one, point),
                        values=values,
                    )
        return None


def read(path: Path) -> Mapping:
    """The mapping of a file.

    Raises:
        InputError: it cannot be read, or says what cannot be; the message names the file, the key and what to do.

    """
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except OSError as error:
        message = f"the mapping {path} cannot be read: {error.strerror}"
        raise InputError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"the mapping {path} is not TOML: {error}. An example:\n{_EXAMPLE}"
        raise InputError(message) from None
    except msgspec.ValidationError as error:
        message = f"the mapping {path}: {_readable(str(error))}. An example:\n{_EXAMPLE}"
        raise InputError(message) from None
    for place, one in enumerate(file.series):
        wrong = _wrong(one)
        if wrong:
            message = f"the mapping {path}, [[series]] number {place + 1} ({one.measurement}): {wrong}"
            raise InputError(message)
    if not file.series:
        message = f"the mapping {path} has no [[series]]. An example:\n{_EXAMPLE}"
        raise InputError(message)
    return Mapping(file.series)


def _readable(reason: str) -> str:
    """The validator's words with the place as a person writes it: `$.series[0].kind` is `kind of [[series]] number 1`."""

    def place(found: re.Match[str]) -> str:
        rest = f"{found[2].lstrip('.')} of " if found[2] else ""
        return f"in {rest}[[series]] number {int(found[1]) + 1}"

    reason = re.sub(r"- at `\$\.series\[(\d+)\]([^`]*)`", place, reason)
    return re.sub(r" - at `(key in )?\$[^`]*`", "", reason).replace("Object ", "it ")


def _wrong(one: Series) -> str:
    """Why a series cannot be used; empty when it can."""
    columns = {"traffic": VALUE_COLUMNS["traffic"], "energy": VALUE_COLUMNS["energy"]}.get(one.kind, {})
    if not one.measurement:
        return "measurement is empty: give its name in the bucket"
    if not one.fields:
        return 'fields is empty: write which field is which column, for example flow = "flow_vph"'
    if not one.sensor:
        return 'sensor is empty: give a name, or a tag in braces such as "{site}"'
    targets = [to if isinstance(to, str) else to.to for to in one.fields.values()]
    for text in (one.sensor, *targets):
        if re.search(r"[{}]", _PLACEHOLDER.sub("", text)) or "{}" in text:
            return f'"{text}" has a brace without its other, or nothing between them: a tag is written "{{site}}"'
    for target in targets:
        if "{" not in target and (not is_quantity(target) or target in {"ts", "seq"}):
            known = ", ".join(columns) or "temperature_c"
            return f'fields: "{target}" is no column or quantity: lower case, digits and underscores, such as {known}'
        if targets.count(target) > 1:
            return f'fields: two fields go to "{target}"; leave one out, or make it a [[series]] of its own'
    if columns and not columns.keys() & set(targets) and not any("{" in target for target in targets):
        return f"fields: none is a column of {one.kind}, which are {', '.join(columns)}; or is kind environment meant?"
    if one.stamp == "end" and not one.interval_s:
        return 'stamp = "end" needs interval_s, the length of the interval in seconds'
    return ""


def _converted(fields: dict[str, Field], point: Point) -> list[tuple[str, float]]:
    found = []
    for name, field in fields.items():
        value = point.fields.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            message = f"the field {name} is the text {value[:40]!r}, a number is expected"
            raise InputError(message)
        number = float(value) * field.times + field.plus
        if not math.isfinite(number):
            message = f"the field {name} is {value}, which is not a finite number"
            raise InputError(message)
        found.append((_target(field.to, point.tags), number))
    return found


def _target(to: str, tags: dict[str, str]) -> str:
    if "{" not in to:
        return to
    name = quantity_name(_filled(to, tags))
    if not is_quantity(name):
        message = f"{_filled(to, tags)!r} cannot be the name of a quantity"
        raise InputError(message)
    return name


def _sensor(template: str, tags: dict[str, str]) -> str:
    return sensor_code(_filled(template, tags).replace("/", "-"))


def _filled(template: str, tags: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in tags:
            message = f"the tag {found[1]} is missing, which the mapping asks for"
            raise InputError(message)
        return tags[found[1]]

    return _PLACEHOLDER.sub(value, template)


def _observed_us(one: Series, point: Point) -> int:
    if point.time_us is None:
        message = "the point has no time"
        raise InputError(message)
    return point.time_us - round(one.interval_s * 1_000_000) if one.stamp == "end" else point.time_us
