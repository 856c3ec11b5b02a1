"""Code concerned with Helsinki's vehicle positions (HSL, HFP version 2) on `/hfp/v2/journey/ongoing/vp/…`. Personal.

A vehicle on its journey is an identifiable driver: only operator, vehicle, time, place and speed are read, everything
else is left at the door, and the subject `hfp-<operator>-<vehicle>` becomes a day's pseudonym before anything is stored.
`spd` is in m/s. Messages overtake each other; each has its own time (`tst`).
"""

from __future__ import annotations

from typing import Final

from ingest.decoders.checks import Window, document, number, shown, text_moment
from services.domain import Decoded, Message, PositionReading
from services.errors import InputError

_KMH: Final = 3.6


def decode(message: Message, window: Window) -> Decoded:
    """Where the vehicle was.

    Raises:
        InputError: it is not a position, or names another vehicle than the topic.

    """
    position = document(message.payload, "a vehicle position of HSL").get("VP")
    if not isinstance(position, dict):
        reason = "the object VP is missing: this is not a vehicle position of HSL"
        raise InputError(reason)
    levels = message.topic.split("/")
    operator, vehicle = levels[7], levels[8]
    for level in (operator, vehicle):
        if not (level.isascii() and level.isdigit() and len(level) <= 9):
            reason = "the topic names no operator and vehicle by their numbers"
            raise InputError(reason)
    if position.get("veh") != int(vehicle):
        reason = "the payload and the topic name different vehicles"
        raise InputError(reason)
    if not isinstance(position.get("tst"), str):
        reason = f"tst is {shown(position.get('tst'))}, but a time is expected"
        raise InputError(reason)
    if position.get("lat") is None or position.get("long") is None:
        reason = "the vehicle does not know where it is: lat or long is null"
        raise InputError(reason)
    speed = position.get("spd")
    return Decoded(
        readings=(
            PositionReading(
                subject=f"hfp-{int(operator)}-{int(vehicle)}",
                observed_us=text_moment(position["tst"], window),
                lon=number("long", position["long"], low=-180, high=180, why="a longitude lies between -180 and 180"),
                lat=number("lat", position["lat"], low=-90, high=90, why="a latitude lies between -90 and 90"),
                speed_kmh=None
                if speed is None
                else number("spd", speed, low=0, high=1_000, why="a speed lies between 0 and 1,000 m/s") * _KMH,
            ),
        )
    )
