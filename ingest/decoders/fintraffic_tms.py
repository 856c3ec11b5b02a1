"""Code concerned with Finland's traffic measuring stations on `tms-v2/<station>/<sensor id>` (Fintraffic Digitraffic).

The meaning is in the sensor id. The 5-minute sliding flow and mean speed of each direction become the columns of one
sensor `tms-<station>-<direction>`; they arrive as separate messages with the same time and are merged when stored.
Everything else is kept as a quantity of the station's sensor `tms-<station>`: sliding and fixed windows overlap and
must never be summed. `time` counts seconds and marks the end of the interval.
"""

from __future__ import annotations

from typing import Final

from ingest.decoders.checks import SECOND_US, Window, counted_moment, number, parse_json, shown, within
from services.domain import Decoded, Kind, Message, QuantityReading, Reading, TrafficReading
from services.errors import InputError

_SLIDING_US: Final = 300 * SECOND_US
_COLUMNS: Final = {
    5116: (1, "flow_vph"),
    5119: (2, "flow_vph"),
    5122: (1, "speed_kmh"),
    5125: (2, "speed_kmh"),
}
_QUANTITIES: Final = {
    5054: "passes_60min_direction_1",
    5055: "passes_60min_direction_2",
    5056: "speed_60min_kmh_direction_1",
    5057: "speed_60min_kmh_direction_2",
    5158: "free_flow_speed_percent_direction_1",
    5161: "free_flow_speed_percent_direction_2",
    5164: "capacity_percent_direction_1",
    5168: "capacity_percent_direction_2",
}
_SLIDING: Final = frozenset({*_COLUMNS, 5158, 5161, 5164, 5168})


def decode(message: Message, window: Window) -> Decoded:
    """All that a message of a measuring station says; the service's own status holds nothing to store.

    Raises:
        InputError: it has no value, or not of these stations.

    """
    return Decoded() if message.topic == "tms-v2/status" else Decoded(readings=(_reading(message, window),))


def _reading(message: Message, window: Window) -> Reading:
    _, station, sensor = message.topic.split("/")
    for level in (station, sensor):
        if not (level.isascii() and level.isdigit() and len(level) <= 9):
            reason = (
                f"the topic level {shown(level)} is not a Fintraffic number: tms-v2/<station>/<sensor id> is expected"
            )
            raise InputError(reason)
    fields = parse_json(message.payload)
    if not isinstance(fields, dict):
        reason = f'{shown(fields)} is not a JSON object such as {{"value": …, "time": …}}'
        raise InputError(reason)
    for name in ("value", "time"):
        if name not in fields:
            reason = f"the field {name} is missing"
            raise InputError(reason)
    sensor_id = int(sensor)
    end_us = counted_moment(fields["time"], "seconds", window)
    if fields.get("start") is not None:
        observed_us = counted_moment(fields["start"], "seconds", window)
    else:
        observed_us = within(end_us - _SLIDING_US, window) if sensor_id in _SLIDING else end_us
    if sensor_id in _COLUMNS:
        direction, column = _COLUMNS[sensor_id]
        value = number("value", fields["value"], low=0, why=f"{column} cannot be negative")
        code = f"tms-{station}-{direction}"
        if column == "flow_vph":
            return TrafficReading(sensor=code, observed_us=observed_us, flow_vph=value)
        return TrafficReading(sensor=code, observed_us=observed_us, speed_kmh=value)
    return QuantityReading(
        sensor=f"tms-{station}",
        observed_us=observed_us,
        quantity=_QUANTITIES.get(sensor_id, f"tms_{sensor_id}"),
        value=number("value", fields["value"]),
        kind=Kind.TRAFFIC,
    )
