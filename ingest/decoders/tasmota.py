"""Code concerned with Tasmota devices of the city on `tele/<device>/SENSOR` and their last will on `tele/<device>/LWT`.

`Time` is the device's local time without a zone: it is read in the city's zone (`ARTERIAL_CITY_TIMEZONE`), so set the
device to it; one with an offset is taken as it is. In the hour that autumn repeats, the occurrence nearer to the
receipt is meant. The device is `tasmota-<device>`, its power [W] and register [kWh] are `tasmota-<device>:energy`;
firmware that sends a list per phase has them added up, other lists become one quantity per phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingest.decoders.checks import Window, document, local_moment, number, shown
from ingest.decoders.columns import by_kind, joined, numbers, with_unit
from services.domain import Decoded, Kind, Message, SensorStatus
from services.errors import InputError

_ENERGY: Final = {
    "Voltage": ("voltage", "V"),
    "Current": ("current", "A"),
    "Factor": ("power_factor", ""),
    "Frequency": ("frequency", "Hz"),
    "ApparentPower": ("apparent_power", "va"),
    "ReactivePower": ("reactive_power", "var"),
}
_UNITS: Final = {"humidity": "%RH", "illuminance": "lx", "carbon_dioxide": "ppm"}
_MOST_PHASES: Final = 8


def decode(message: Message, window: Window) -> Decoded:
    """All that a report or last will says.

    Raises:
        InputError: it has no time or no value, or is a Zigbee bridge's.

    """
    _, device, purpose = message.topic.split("/")
    sensor = joined("tasmota", device)
    if purpose == "LWT":
        if message.payload not in (b"Online", b"Offline"):
            reason = f"the last will is {shown(message.payload[:20])}, but Online or Offline is expected"
            raise InputError(reason)
        return Decoded(
            status=(SensorStatus(sensor=sensor, kind=Kind.ENVIRONMENT, online=message.payload == b"Online"),)
        )
    report = document(message.payload, "a report of Tasmota")
    if "ZbReceived" in report:
        reason = "the report is a Zigbee bridge's (ZbReceived), which names no fixed sensor: use Zigbee2MQTT"
        raise InputError(reason)
    if not isinstance(report.get("Time"), str):
        reason = f"Time is {shown(report.get('Time'))}, but a local time such as 2026-11-22T08:00:00 is expected"
        raise InputError(reason)
    observed_us = local_moment(report["Time"], message.received_us, window)
    values = dict(_values(report))
    if not values:
        reason = "the report has no numeric value"
        raise InputError(reason)
    return Decoded(readings=tuple(by_kind(sensor, observed_us, values)))


def _values(report: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, part in report.items():
        if name == "ENERGY" and isinstance(part, dict):
            yield from _energy(part)
        elif isinstance(part, dict):
            for quantity, value in numbers(part, f"{name}_"):
                yield _climate(quantity, value, report)


def _energy(part: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, quantity, divisor in (("Power", "power_kw", 1000), ("Total", "energy_kwh", 1)):
        if part.get(name) is not None:
            yield quantity, sum(_phases(name, part[name])) / divisor
    for name, (quantity, unit) in _ENERGY.items():
        if isinstance(part.get(name), list):
            for phase, value in enumerate(_phases(name, part[name]), start=1):
                yield with_unit(f"{quantity}_l{phase}", unit, value)
        elif part.get(name) is not None:
            yield with_unit(quantity, unit, number(name, part[name]))


def _phases(name: str, value: object) -> list[float]:
    values = value if isinstance(value, list) else [value]
    if len(values) > _MOST_PHASES:
        message = f"{name} has {len(values)} phases, up to {_MOST_PHASES} are expected"
        raise InputError(message)
    return [number(name, each) for each in values]


def _climate(quantity: str, value: float, report: dict[str, Any]) -> tuple[str, float]:
    """A quantity in its unit; a temperature in degrees Celsius even where the device is set to Fahrenheit."""
    if quantity.endswith(("temperature", "dew_point")):
        return with_unit(quantity, "Cel", (value - 32) / 1.8 if report.get("TempUnit") == "F" else value)
    if quantity.endswith("pressure"):
        unit = report.get("PressureUnit", "hPa")
        return with_unit(quantity, unit, value)
    for ending, unit in _UNITS.items():
        if quantity.endswith(ending):
            return with_unit(quantity, unit, value)
    return quantity, value
