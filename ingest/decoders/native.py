"""Code concerned with Arterial's own dialect: `city/v1/<kind>/<sensor>/telemetry|status|meta|claim`, JSON.

A clean payload takes the short way, one typed decode; whatever that refuses is looked at again item by item, to store
what is good and say precisely what is not.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from ingest.decoders import native_about
from ingest.decoders.checks import (
    Window,
    device_time,
    is_quantity,
    json_object,
    number,
    parse_json,
    sensor_code,
    sequence_number,
    shown,
    station_code,
)
from services.domain import (
    PERSONAL_KINDS,
    BikeTripReading,
    ChargingReading,
    Decoded,
    EnergyReading,
    HouseholdReading,
    Kind,
    Message,
    PositionReading,
    QuantityReading,
    Reading,
    Rejected,
    TrafficReading,
    to_us,
)
from services.errors import InputError

_Time = Annotated[datetime, msgspec.Meta(tz=True)] | int
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Amount = Annotated[float, msgspec.Meta(ge=0, le=3.4e38)]
_Signed = Annotated[float, msgspec.Meta(ge=-3.4e38, le=3.4e38)]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

_SHARE: Final = (0.0, 1.0, "it is a share between 0 and 1")
_NOT_NEGATIVE: Final = (0.0, 3.4e38, "it cannot be negative")
_FINITE: Final = (-3.4e38, 3.4e38, "")
_KNOWN: Final[dict[Kind, dict[str, tuple[float, float, str]]]] = {
    Kind.TRAFFIC: {"flow_vph": _NOT_NEGATIVE, "speed_kmh": _NOT_NEGATIVE, "occupancy": _SHARE},
    Kind.ENERGY: {"power_kw": _FINITE, "energy_kwh": _FINITE},
    Kind.ENVIRONMENT: {},
    Kind.PROBE: {
        "lon": (-180, 180, "a longitude lies between -180 and 180"),
        "lat": (-90, 90, "a latitude lies between -90 and 90"),
        "speed_kmh": _NOT_NEGATIVE,
    },
    Kind.BIKE: {},
    Kind.CHARGING: {"energy_kwh": (0.0, 10_000.0, "a session draws between 0 and 10,000 kWh")},
    Kind.HOUSEHOLD: {"energy_kwh": (0.0, 2_000_000.0, "a household uses between 0 and 2,000,000 kWh in one interval")},
}


class _Traffic(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ts: _Time
    seq: _Seq | None = None
    flow_vph: _Amount | None = None
    speed_kmh: _Amount | None = None
    occupancy: _Share | None = None


class _Energy(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ts: _Time
    seq: _Seq | None = None
    power_kw: _Signed | None = None
    energy_kwh: _Signed | None = None


class _Position(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ts: _Time
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    seq: _Seq | None = None
    speed_kmh: _Amount | None = None


class _Household(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ts: _Time
    energy_kwh: Annotated[float, msgspec.Meta(ge=0, le=2_000_000)]
    district: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
    seq: _Seq | None = None


TRAFFIC: Final = msgspec.json.Decoder(_Traffic)
_TRAFFIC_BATCH: Final = msgspec.json.Decoder(list[_Traffic])
ENERGY: Final = msgspec.json.Decoder(_Energy)
_ENERGY_BATCH: Final = msgspec.json.Decoder(list[_Energy])
_POSITION: Final = msgspec.json.Decoder(_Position)
_POSITION_BATCH: Final = msgspec.json.Decoder(list[_Position])
_HOUSEHOLD: Final = msgspec.json.Decoder(_Household)
_HOUSEHOLD_BATCH: Final = msgspec.json.Decoder(list[_Household])


def decode(message: Message, window: Window) -> Decoded:
    """All that a message of this dialect says.

    Raises:
        InputError: nothing of it can be used.

    """
    kind, sensor, purpose = address(message.topic)
    if purpose == "telemetry":
        return _clean(kind, sensor, message.payload, window) or _item_by_item(kind, sensor, message.payload, window)
    if purpose == "claim":
        return Decoded(readings=(native_about.claim(kind, sensor, message.payload, window),))
    if kind in PERSONAL_KINDS:
        reason = f"a {kind} has no {purpose}: nothing about it is kept but its readings"
        raise InputError(reason)
    if purpose == "status":
        return Decoded(status=(native_about.status(kind, sensor, message.payload, window),))
    return Decoded(meta=(native_about.meta(kind, sensor, message.payload),))


@lru_cache(maxsize=65_536)
def address(topic: str) -> tuple[Kind, str, str]:
    """Kind, sensor and purpose (the last level) of a topic `city/v1/<kind>/<sensor>/<purpose>`.

    Raises:
        InputError: the kind is unknown, or the sensor cannot be a name.

    """
    _, _, kind, sensor, purpose = topic.split("/")
    try:
        return Kind(kind), sensor_code(sensor), purpose
    except ValueError:
        message = f"the kind {shown(kind)} in the topic is not one of {', '.join(Kind)}"
        raise InputError(message) from None


def _clean(kind: Kind, sensor: str, payload: bytes, window: Window) -> Decoded | None:
    """The readings of a payload in which nothing is unusual, else None."""
    is_batch = payload[:1] == b"["
    readings: tuple[Reading, ...]
    try:
        if kind is Kind.TRAFFIC:
            traffic = _TRAFFIC_BATCH.decode(payload) if is_batch else [TRAFFIC.decode(payload)]
            if any(item.flow_vph is None and item.speed_kmh is None and item.occupancy is None for item in traffic):
                return None
            readings = tuple(
                TrafficReading(
                    sensor=sensor,
                    observed_us=_plain_moment(item.ts, window),
                    seq=item.seq,
                    flow_vph=item.flow_vph,
                    speed_kmh=item.speed_kmh,
                    occupancy=item.occupancy,
                )
                for item in traffic
            )
        elif kind is Kind.ENERGY:
            energy = _ENERGY_BATCH.decode(payload) if is_batch else [ENERGY.decode(payload)]
            if any(item.power_kw is None and item.energy_kwh is None for item in energy):
                return None
            readings = tuple(
                EnergyReading(
                    sensor=sensor,
                    observed_us=_plain_moment(item.ts, window),
                    seq=item.seq,
                    power_kw=item.power_kw,
                    energy_kwh=item.energy_kwh,
                )
                for item in energy
            )
        else:
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError):
        return None  # the long way finds the words
    return Decoded(readings=readings) if readings else None


def _plain_moment(moment: datetime | int, window: Window) -> int:
    moment_us = moment * 1_000 if isinstance(moment, int) else to_us(moment)
    if not window.earliest_us <= moment_us <= window.latest_us:
        message = "the time needs a second look"
        raise InputError(message)
    return moment_us


def _item_by_item(kind: Kind, sensor: str, payload: bytes, window: Window) -> Decoded:
    content = parse_json(payload)
    if not isinstance(content, list):
        return Decoded(readings=tuple(_readings(kind, sensor, content, window)))
    if not content:
        message = "the batch is empty"
        raise InputError(message)
    readings: list[Reading] = []
    rejected: list[Rejected] = []
    for position, item in enumerate(content):
        try:
            readings += _readings(kind, sensor, item, window)
        except InputError as refusal:
            rejected.append(Rejected(reason=str(refusal), item=position))
    return Decoded(readings=tuple(readings), rejected=tuple(rejected))


def _readings(kind: Kind, sensor: str, item: object, window: Window) -> list[Reading]:
    fields = json_object(item)
    if "ts" not in fields:
        message = "the field ts is missing: the time of the reading"
        raise InputError(message)
    observed_us = device_time(fields["ts"], window)
    seq = sequence_number(fields.get("seq"))
    known = {
        name: number(name, fields[name], low=low, high=high, why=why)
        for name, (low, high, why) in _KNOWN[kind].items()
        if fields.get(name) is not None
    }
    make = _MAKERS.get(kind)
    found: list[Reading] = (
        [make(sensor, observed_us, seq, known, fields)] if make and (known or kind in PERSONAL_KINDS) else []
    )
    if kind not in PERSONAL_KINDS:
        found += _quantities(kind, sensor, observed_us, seq, fields)
    if not found:
        raise InputError(_no_value(kind, fields))
    return found


def _quantities(
    kind: Kind, sensor: str, observed_us: int, seq: int | None, fields: dict[str, Any]
) -> Iterator[Reading]:
    for name, value in fields.items():
        if (
            name in {"ts", "seq"}
            or name in _KNOWN[kind]
            or isinstance(value, bool)
            or not isinstance(value, int | float)
        ):
            continue
        if is_quantity(name):
            amount = number(name, value, low=-1.7e308, high=1.7e308)
            yield QuantityReading(
                sensor=sensor, observed_us=observed_us, quantity=name, value=amount, kind=kind, seq=seq
            )


def _no_value(kind: Kind, fields: dict[str, Any]) -> str:
    others = [name for name, value in fields.items() if name not in {"ts", "seq"} and value is not None]
    if not others:
        return "there is a time but no value"
    for name in others:
        near = difflib.get_close_matches(name, _KNOWN[kind], n=1, cutoff=0.5)
        if near:
            return f"there is no numeric value: {shown(name)} is not a field of {kind}, did you mean {near[0]}?"
    return f"there is no numeric value among the fields {shown(', '.join(others))}"


def _traffic(sensor: str, observed_us: int, seq: int | None, known: dict[str, float], _: dict[str, Any]) -> Reading:
    return TrafficReading(sensor=sensor, observed_us=observed_us, seq=seq, **known)


def _energy(sensor: str, observed_us: int, seq: int | None, known: dict[str, float], _: dict[str, Any]) -> Reading:
    return EnergyReading(sensor=sensor, observed_us=observed_us, seq=seq, **known)


def _position(sensor: str, observed_us: int, _: int | None, known: dict[str, float], __: dict[str, Any]) -> Reading:
    for name in ("lon", "lat"):
        if name not in known:
            message = f"the field {name} is missing"
            raise InputError(message)
    return PositionReading(subject=sensor, observed_us=observed_us, **known)


def _household(
    sensor: str, observed_us: int, _: int | None, known: dict[str, float], fields: dict[str, Any]
) -> Reading:
    for name in ("energy_kwh", "district"):
        if fields.get(name) is None:
            message = f"the field {name} is missing"
            raise InputError(message)
    district = fields["district"]
    if not isinstance(district, str) or not 1 <= len(district) <= 63 or not district.isprintable():
        message = f"district is {shown(district)}, but the code of a district is expected"
        raise InputError(message)
    return HouseholdReading(subject=sensor, observed_us=observed_us, district=district, energy_kwh=known["energy_kwh"])


def _bike(sensor: str, observed_us: int, _: int | None, __: dict[str, float], fields: dict[str, Any]) -> Reading:
    origin, destination = station_code("from", fields.get("from")), station_code("to", fields.get("to"))
    return BikeTripReading(
        subject=f"{sensor}/{observed_us}", observed_us=observed_us, origin=origin, destination=destination
    )


def _charging(sensor: str, observed_us: int, _: int | None, known: dict[str, float], fields: dict[str, Any]) -> Reading:
    if "energy_kwh" not in known:
        message = "the field energy_kwh is missing"
        raise InputError(message)
    return ChargingReading(
        subject=sensor,
        observed_us=observed_us,
        began_us=observed_us,
        station=station_code("station", fields.get("station")),
        energy_kwh=known["energy_kwh"],
    )


_Maker = Callable[[str, int, int | None, dict[str, float], dict[str, Any]], Reading]
_MAKERS: Final[dict[Kind, _Maker]] = {
    Kind.TRAFFIC: _traffic,
    Kind.ENERGY: _energy,
    Kind.PROBE: _position,
    Kind.HOUSEHOLD: _household,
    Kind.BIKE: _bike,
    Kind.CHARGING: _charging,
}
