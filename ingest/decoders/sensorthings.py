"""Code concerned with the OGC SensorThings API over MQTT on `v1.1/Datastreams(<id>)/Observations` (and `v1.0`).

The device is `sensorthings-<id>`. What is measured and its unit stand in the Datastream, not in the message: a server
that can expand (`Observations?$expand=Datastream`) gives both, otherwise the quantity is `result`. `phenomenonTime`, the
start of an interval, goes before `resultTime`; one without a zone is refused. Servers send an observation twice; equal
times make the second a duplicate.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ingest.decoders.checks import Window, document, number, shown, text_moment
from ingest.decoders.columns import by_kind, joined, with_unit
from services.domain import Decoded, Message
from services.errors import InputError

_DATASTREAM: Final = re.compile(r"Datastreams\(('?)([^()']{1,64})\1\)")
_COLUMN_OF: Final = {"kw": "power_kw", "kwh": "energy_kwh", "vph": "flow_vph", "kmh": "speed_kmh"}


def decode(message: Message, window: Window) -> Decoded:
    """The one observation.

    Raises:
        InputError: it is not an observation of a Datastream, or its result is not a number.

    """
    level = message.topic.split("/")[1]
    address = _DATASTREAM.fullmatch(level)
    if address is None:
        reason = f"the topic level {shown(level)} is not a Datastream such as Datastreams(5)"
        raise InputError(reason)
    observation = document(message.payload, "an observation of SensorThings")
    value = number("result", observation.get("result"))
    stamp = observation.get("phenomenonTime") or observation.get("resultTime")
    if not isinstance(stamp, str):
        reason = "the observation has neither phenomenonTime nor resultTime"
        raise InputError(reason)
    observed_us = text_moment(stamp.split("/")[0], window)
    quantity, value = _quantity(observation.get("Datastream"), value)
    return Decoded(readings=tuple(by_kind(joined("sensorthings", address[2]), observed_us, {quantity: value})))


def _quantity(datastream: Any, value: float) -> tuple[str, float]:
    """Quantity and value as the expanded Datastream tells; a Datastream has one, so its unit alone decides a column."""
    if not isinstance(datastream, dict):
        return "result", value
    unit, name = datastream.get("unitOfMeasurement"), None
    for part in (datastream.get("ObservedProperty"), datastream):
        if name is None and isinstance(part, dict) and isinstance(part.get("name"), str):
            name = part["name"]
    quantity, value = with_unit(name or "result", unit.get("symbol") if isinstance(unit, dict) else None, value)
    return _COLUMN_OF.get(quantity.rsplit("_", 1)[-1], quantity), value
