"""Code concerned with Shelly devices of generation 2 and later, on `<topic prefix>/events/rpc`: NotifyStatus frames.

A frame tells only what changed (`NotifyFullStatus` tells all), so it is laid over the last status of the component, kept
in the memory; a frame older than that status stands for itself and changes nothing. Each component is a sensor,
`shelly-<src>:<component>`; `em1data:1` belongs to `em1:1`. Power comes in W, registers in Wh (generation 1, whose
meters count watt-minutes, has other topics and is not read). Events and frames about the device itself hold no
measurement and are accepted without a row.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ingest.decoders.checks import SECOND_US, Window, document, number, shown, within
from ingest.decoders.columns import joined, readings
from ingest.decoders.memory import Memory
from services.domain import Decoded, Kind, Message, Reading, Rejected
from services.errors import InputError

_COMPONENT: Final = re.compile(r"([a-z0-9_]{1,20}):([0-9]{1,4})")
_REGISTERS_OF: Final = {"emdata": "em", "em1data": "em1"}
_ENERGY: Final = {
    "act_power": ("power_kw", 1000.0),
    "apower": ("power_kw", 1000.0),
    "total_act_power": ("power_kw", 1000.0),
    "total_act_energy": ("energy_kwh", 1000.0),
    "total_act": ("energy_kwh", 1000.0),
    "total_act_ret_energy": ("energy_export_kwh", 1000.0),
    "total_act_ret": ("energy_export_kwh", 1000.0),
    "voltage": ("voltage_v", 1.0),
    "current": ("current_a", 1.0),
    "pf": ("power_factor", 1.0),
    "freq": ("frequency_hz", 1.0),
} | {
    f"{phase}_{field}": (f"{quantity}_l{place}_{unit}".rstrip("_"), divisor)
    for place, phase in enumerate("abc", start=1)
    for field, quantity, unit, divisor in (
        ("act_power", "active_power", "kw", 1000.0),
        ("voltage", "voltage", "v", 1.0),
        ("current", "current", "a", 1.0),
        ("pf", "power_factor", "", 1.0),
    )
}
_CLIMATE: Final = {
    "temperature": {"tC": ("temperature_c", 1.0)},
    "humidity": {"rh": ("humidity_percent", 1.0)},
    "illuminance": {"lux": ("illuminance_lx", 1.0)},
}
_METERS: Final = frozenset({"em", "em1", "pm1", "switch", "cover", "light"})
_MOST_COMPONENTS: Final = 64


def decode(message: Message, window: Window, memory: Memory) -> Decoded:
    """All that a frame says, over what earlier ones said.

    Raises:
        InputError: it is not a frame of a Shelly.

    """
    frame = document(message.payload, "a frame of a Shelly")
    source, method, parameters = frame.get("src"), frame.get("method"), frame.get("params")
    if not isinstance(source, str) or not isinstance(method, str) or not isinstance(parameters, dict):
        reason = "src, method or params is missing: this is not a notification of a Shelly of generation 2"
        raise InputError(reason)
    if method == "NotifyEvent":
        return Decoded()
    if method not in ("NotifyStatus", "NotifyFullStatus"):
        reason = f"the method {shown(method)} is not NotifyStatus, NotifyFullStatus or NotifyEvent"
        raise InputError(reason)
    if len(parameters) > _MOST_COMPONENTS:
        reason = f"the frame has {len(parameters)} components, the limit is {_MOST_COMPONENTS}"
        raise InputError(reason)
    seconds = number("ts", parameters.get("ts"), low=0, high=1e11, why="seconds since 1970 are expected")
    observed_us = within(round(seconds * SECOND_US), window)
    changed: dict[tuple[str, Kind], dict[str, float]] = {}
    rejected = []
    for component, status in parameters.items():
        try:
            _read(source, component, status, changed)
        except InputError as refusal:
            rejected.append(Rejected(reason=f"{shown(component)}: {refusal}"))
    found: list[Reading] = []
    for (sensor, kind), values in changed.items():
        found += readings(sensor, observed_us, _overlay(sensor, observed_us, values, memory), kind=kind)
    return Decoded(readings=tuple(found), rejected=tuple(rejected))


def _read(source: str, component: str, status: Any, changed: dict[tuple[str, Kind], dict[str, float]]) -> None:
    """Add what the frame says of one component; what is not a measurement is passed over."""
    address = _COMPONENT.fullmatch(component)
    if address is None or not isinstance(status, dict):
        return
    name = _REGISTERS_OF.get(address[1], address[1])
    fields = _ENERGY if name in _METERS else _CLIMATE.get(name)
    if fields is None:
        return
    values = {
        quantity: number(field, status[field]) / divisor
        for field, (quantity, divisor) in fields.items()
        if status.get(field) is not None
    }
    counter = status.get("aenergy")
    if name in _METERS and isinstance(counter, dict) and counter.get("total") is not None:
        values["energy_kwh"] = number("aenergy.total", counter["total"]) / 1000
    if values:
        kind = Kind.ENERGY if name in _METERS else Kind.ENVIRONMENT
        changed.setdefault((joined("shelly", source, f"{name}-{address[2]}"), kind), {}).update(values)


def _overlay(sensor: str, observed_us: int, values: dict[str, float], memory: Memory) -> dict[str, float]:
    last_us: int
    last: dict[str, float]
    last_us, last = memory.recall("shelly", sensor) or (observed_us, {})
    if observed_us < last_us:
        return values
    whole = last | values
    memory.keep("shelly", sensor, (observed_us, whole), weight=1 + len(whole))
    return whole
