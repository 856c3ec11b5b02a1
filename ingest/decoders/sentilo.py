"""Code concerned with Sentilo's publication body on `sentilo/data/<provider>`, `…/<provider>/<sensor>`.

Sentilo itself takes `{"sensors": …}` by HTTP PUT on `/data/<provider>`; a bridge publishes the same body here. Sentilo
keeps a sensor's type and unit in its catalogue, not in the message, so each sensor `sentilo-<provider>:<sensor>` has one
quantity, `value`. Values are numbers as text. A time is day/month/year; without a zone it is UTC, without a time the
receipt counts. `location` is latitude before longitude.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from ingest.decoders.checks import Window, document, number, shown, text_number, within
from ingest.decoders.columns import joined
from services.domain import Decoded, Kind, Message, QuantityReading, Reading, Rejected, SensorMeta, to_us
from services.errors import InputError

_TIME: Final = re.compile(
    r"([0-9]{2})/([0-9]{2})/([0-9]{4})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:([+-])([0-9]{2}):?([0-9]{2})|([A-Z]{1,4}))?"
)
_ZONES: Final = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3}
_PLACE_PARTS: Final = 2


def decode(message: Message, window: Window) -> Decoded:
    """All that a publication says, observation by observation.

    Raises:
        InputError: it is not a publication of Sentilo.

    """
    _, _, provider, *rest = message.topic.split("/")
    body = document(message.payload, "a publication of Sentilo")
    sensors = [{**body, "sensor": rest[0]}] if rest else body.get("sensors")
    if not isinstance(sensors, list) or not sensors:
        reason = "the list sensors is missing or empty: this is not a publication of Sentilo"
        raise InputError(reason)
    readings: list[Reading] = []
    places: dict[str, SensorMeta] = {}
    rejected: list[Rejected] = []
    item = 0
    for sensor in sensors:
        observations = sensor.get("observations") if isinstance(sensor, dict) else None
        if not isinstance(observations, list) or not observations or not isinstance(sensor.get("sensor"), str):
            rejected.append(Rejected(reason=f"{shown(sensor)} is not a sensor with observations", item=item))
            item += 1
            continue
        for observation in observations:
            try:
                code = joined("sentilo", provider, sensor["sensor"])
                reading, place = _observation(code, observation, sensor.get("location"), message, window)
                readings.append(reading)
                if place is not None:
                    places[code] = place
            except InputError as refusal:
                rejected.append(Rejected(reason=str(refusal), item=item))
            item += 1
    return Decoded(readings=tuple(readings), meta=tuple(places.values()), rejected=tuple(rejected))


def _observation(
    code: str, observation: object, place: object, message: Message, window: Window
) -> tuple[Reading, SensorMeta | None]:
    if not isinstance(observation, dict):
        reason = f"{shown(observation)} is not an observation"
        raise InputError(reason)
    value = text_number("value", observation.get("value"))
    stamp = observation.get("timestamp")
    observed_us = within(message.received_us, window) if stamp is None else _moment(stamp, window)
    reading = QuantityReading(
        sensor=code, observed_us=observed_us, quantity="value", value=value, kind=Kind.ENVIRONMENT
    )
    return reading, _place(code, observation.get("location") or place)


def _moment(stamp: Any, window: Window) -> int:
    parts = _TIME.fullmatch(stamp) if isinstance(stamp, str) else None
    if parts is None or (parts[10] is not None and parts[10] not in _ZONES):
        message = f"the timestamp {shown(stamp)} is not a time of Sentilo such as 22/11/2026T08:00:00Z or …CET"
        raise InputError(message)
    hours, minutes = _ZONES.get(parts[10] or "Z", 0), 0
    if parts[7] is not None:
        hours, minutes = int(parts[7] + parts[8]), int(parts[7] + parts[9])
    day, month, year, hour, minute, second = (int(parts[place]) for place in range(1, 7))
    try:
        zone = UTC if not hours and not minutes else timezone(timedelta(hours=hours, minutes=minutes))
        return within(to_us(datetime(year, month, day, hour, minute, second, tzinfo=zone)), window)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        message = f"the timestamp {shown(stamp)} does not exist"
        raise InputError(message) from None


def _place(code: str, place: object) -> SensorMeta | None:
    if place is None:
        return None
    parts = place.split() if isinstance(place, str) else []
    if len(parts) != _PLACE_PARTS:
        message = f"the location {shown(place)} is not a latitude and a longitude"
        raise InputError(message)
    lat, lon = (text_number("location", part) for part in parts)
    return SensorMeta(
        sensor=code,
        kind=Kind.ENVIRONMENT,
        lat=number("latitude", lat, low=-90, high=90, why="it lies between -90 and 90"),
        lon=number("longitude", lon, low=-180, high=180, why="it lies between -180 and 180"),
    )
