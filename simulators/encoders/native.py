"""Code concerned with writing Arterial's own dialect: topics `city/v1/<kind>/<sensor>/<purpose>` and their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Final, Literal

import msgspec

from services.domain import Kind

Purpose = Literal["telemetry", "status", "meta"]
_encode: Final = msgspec.json.Encoder().encode


def topic(kind: Kind, sensor: str, purpose: Purpose = "telemetry") -> str:
    """The topic on which a device says this."""
    return f"city/v1/{kind.value}/{sensor}/{purpose}"


def readings(
    times_us: Sequence[int],
    values: Mapping[str, Sequence[Any]],
    *,
    seq: Sequence[int] | None = None,
    constant: Mapping[str, Any] | None = None,
) -> bytes:
    """Readings as a JSON array, or as one object when there is exactly one; NaN becomes null.

    Args:
        times_us: start of each interval [µs since 1970 UTC]; written as epoch milliseconds.
        values: one sequence per field.
        seq: the device's own count of each reading.
        constant: fields that are the same in every reading.

    """
    names = ["ts", *values, *(constant or {})]
    columns: list[Iterable[Any]] = [[moment // 1_000 for moment in times_us], *values.values()]
    columns += [repeat(value, len(times_us)) for value in (constant or {}).values()]
    if seq is not None:
        names.insert(1, "seq")
        columns.insert(1, seq)
    items = list(map(_item(tuple(names)), *columns))
    return _encode(items[0] if len(items) == 1 else items)


@cache
def _item(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """A record with these fields: built and written several times as fast as a dictionary."""
    return msgspec.defstruct("Item", [(name, Any) for name in names], gc=False)


def meta(kind: Kind, fields: Mapping[str, Any]) -> bytes:
    """What a device says about itself; None is left out."""
    return _encode({"kind": kind.value, **{name: value for name, value in fields.items() if value is not None}})


def status(*, online: bool, at_us: int) -> bytes:
    """Whether a device is connected."""
    return _encode({"online": online, "ts": at_us // 1_000})
