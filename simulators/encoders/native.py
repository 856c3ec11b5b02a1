"""Code concerned with writing Arterial's own dialect: topics `city/v1/<kind>/<sensor>/<purpose>` and their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from services.domain import Kind

Purpose = Literal["telemetry", "status", "meta"]


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
    names = ("ts", *values) if seq is None else ("ts", "seq", *values)
    milliseconds = [moment // 1_000 for moment in times_us]
    columns: Iterable[Sequence[Any]] = (
        (milliseconds, *values.values()) if seq is None else (milliseconds, seq, *values.values())
    )
    items: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if constant:
        for item in items:
            item.update(constant)
    return orjson.dumps(items[0] if len(items) == 1 else items)


def meta(kind: Kind, fields: Mapping[str, Any]) -> bytes:
    """What a device says about itself; None is left out."""
    return orjson.dumps({"kind": kind.value, **{name: value for name, value in fields.items() if value is not None}})


def status(*, online: bool, at_us: int) -> bytes:
    """Whether a device is connected."""
    return orjson.dumps({"online": online, "ts": at_us // 1_000})
