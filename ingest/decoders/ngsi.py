"""Code concerned with NGSI-LD and NGSI-v2 on `ngsi-ld/<name>` and `ngsi-v2/<name>`: TrafficFlowObserved and ThreePhaseAcMeasurement.

Both versions are read in both representations, key-values and normalised, attribute by attribute: an attribute is its
value or an object with `value`. An entity comes alone, in a list, in a notification (`{"data": […]}`), or in the envelope
of MQTT notifications (`{"metadata": …, "body": …}`). The sensor is `ngsi-<entity id>`. The time is the start of
`dateObservedFrom`, `dateObserved` (maybe an interval), an attribute's `observedAt`, the entity's `TimeInstant`,
`modifiedAt`, `dateModified`, else the notification's `notifiedAt`. `intensity` counts the vehicles of the period, so it
needs the period to become a flow. Power comes in W and the register in kWh. GeoJSON has longitude before latitude; some
published examples have them swapped, which cannot be seen from two numbers, so it is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingest.decoders.checks import SECOND_US, Window, number, parse_json, sensor_code, shown, text_moment
from ingest.decoders.columns import readings
from services.domain import Decoded, Kind, Message, Reading, Rejected, SensorMeta
from services.errors import InputError

_TIMES: Final = ("dateObservedFrom", "dateObserved", "TimeInstant", "modifiedAt", "dateModified")
_LONGEST_US: Final = 7 * 86_400 * SECOND_US
_TRAFFIC: Final = {
    "averageVehicleSpeed": "speed_kmh",
    "occupancy": "occupancy",
    "averageVehicleLength": "vehicle_length_m",
    "averageHeadwayTime": "headway_s",
    "averageGapDistance": "gap_m",
}
_PHASES: Final = {
    "activePower": ("active_power", "kw", 1000.0),
    "phaseVoltage": ("voltage", "v", 1.0),
    "current": ("current", "a", 1.0),
    "powerFactor": ("power_factor", "", 1.0),
}
_METRES_PER_SECOND: Final = "MTS"


def decode(message: Message, window: Window) -> Decoded:
    """All that the entities of a message say.

    Raises:
        InputError: there is no entity in it.

    """
    content, notified = _entities(parse_json(message.payload))
    found: list[Reading] = []
    places: list[SensorMeta] = []
    rejected: list[Rejected] = []
    for item, entity in enumerate(content):
        try:
            rows, place = _entity(entity, notified, window)
            found += rows
            places += place
        except InputError as refusal:
            rejected.append(Rejected(reason=str(refusal), item=item))
    return Decoded(readings=tuple(found), meta=tuple(places), rejected=tuple(rejected))


def _entities(content: Any) -> tuple[list[Any], object]:
    """The entities of a message, and when its notification was sent."""
    if isinstance(content, dict) and isinstance(content.get("body"), dict):
        content = content["body"]
    notified = content.get("notifiedAt") if isinstance(content, dict) else None
    if isinstance(content, dict) and "data" in content:
        content = content["data"]
    entities = content if isinstance(content, list) else [content]
    if not entities:
        message = "there is no entity in the message"
        raise InputError(message)
    return entities, notified


def _entity(entity: Any, notified: object, window: Window) -> tuple[list[Reading], list[SensorMeta]]:
    if not isinstance(entity, dict) or not isinstance(entity.get("id"), str):
        message = f"{shown(entity)} is not an NGSI entity: it has no id"
        raise InputError(message)
    of_type = entity.get("type")
    kind = {"TrafficFlowObserved": Kind.TRAFFIC, "ThreePhaseAcMeasurement": Kind.ENERGY}.get(
        of_type.rsplit("/", 1)[-1] if isinstance(of_type, str) else ""
    )
    if kind is None:
        message = (
            f"entities of type {shown(of_type)} are not read, only TrafficFlowObserved and ThreePhaseAcMeasurement"
        )
        raise InputError(message)
    sensor = sensor_code(f"ngsi-{entity['id']}")
    start_us, end_us = _period(entity, notified, window)
    values = dict(_traffic(entity, start_us, end_us) if kind is Kind.TRAFFIC else _energy(entity))
    if not values:
        message = "the entity has no numeric value of its type"
        raise InputError(message)
    return readings(sensor, start_us, values, kind=kind), _place(sensor, kind, _value(entity.get("location")))


def _value(attribute: Any) -> Any:
    """An attribute's value in either representation; a normalised time of NGSI-LD is `{"@type": …, "@value": …}`."""
    for name in ("value", "@value"):
        if isinstance(attribute, dict) and name in attribute:
            attribute = attribute[name]
    return attribute


def _period(entity: dict[str, Any], notified: object, window: Window) -> tuple[int, int | None]:
    """Start and, where it is told, end of the observation."""
    stamps = [_value(entity.get(name)) for name in _TIMES]
    stamps += [part["observedAt"] for part in entity.values() if isinstance(part, dict) and "observedAt" in part]
    for stamp in [*stamps, notified]:
        if isinstance(stamp, str):
            start, _, end = stamp.partition("/")
            end = _value(entity.get("dateObservedTo")) or end
            start_us = text_moment(start, window)
            return start_us, text_moment(end, window) if isinstance(end, str) and end else None
    message = "the entity says no time: dateObserved is expected"
    raise InputError(message)


def _traffic(entity: dict[str, Any], start_us: int, end_us: int | None) -> Iterator[tuple[str, float]]:
    for name, quantity in _TRAFFIC.items():
        if _value(entity.get(name)) is not None:
            value = number(name, _value(entity[name]))
            unit = entity[name].get("unitCode") if isinstance(entity[name], dict) else None
            yield quantity, value * 3.6 if unit == _METRES_PER_SECOND else value
    if _value(entity.get("intensity")) is not None:
        vehicles = number("intensity", _value(entity["intensity"]), low=0, why="a count is not negative")
        if end_us is None:
            yield "vehicles", vehicles
        elif not 0 < end_us - start_us <= _LONGEST_US:
            message = "dateObservedTo does not follow dateObservedFrom within a week"
            raise InputError(message)
        else:
            yield "flow_vph", vehicles * 3_600 * SECOND_US / (end_us - start_us)


def _energy(entity: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, quantity, divisor in (
        ("totalActivePower", "power_kw", 1000.0),
        ("totalActiveEnergyImport", "energy_kwh", 1.0),
        ("totalActiveEnergyExport", "energy_export_kwh", 1.0),
        ("frequency", "frequency_hz", 1.0),
    ):
        if _value(entity.get(name)) is not None:
            yield quantity, number(name, _value(entity[name])) / divisor
    for name, (quantity, unit, divisor) in _PHASES.items():
        phases = _value(entity.get(name))
        if isinstance(phases, dict):
            for phase in ("L1", "L2", "L3"):
                if _value(phases.get(phase)) is not None:
                    value = number(f"{name} {phase}", _value(phases[phase])) / divisor
                    yield "_".join(filter(None, (quantity, phase.lower(), unit))), value


def _place(sensor: str, kind: Kind, location: Any) -> list[SensorMeta]:
    """Where a Point is, or the middle vertex of a LineString."""
    if not isinstance(location, dict) or location.get("type") not in ("Point", "LineString"):
        return []
    place = location.get("coordinates")
    if location["type"] == "LineString" and isinstance(place, list) and place:
        place = place[len(place) // 2]
    if not isinstance(place, list) or len(place) < 2:
        message = f"the coordinates {shown(place)} are not a longitude and a latitude"
        raise InputError(message)
    lon = number("the longitude", place[0], low=-180, high=180, why="it lies between -180 and 180")
    lat = number("the latitude", place[1], low=-90, high=90, why="it lies between -90 and 90")
    return [SensorMeta(sensor=sensor, kind=kind, lon=lon, lat=lat)]
