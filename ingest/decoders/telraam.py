"""Code concerned with Telraam, traffic counted by citizens' cameras, on `telraam/<segment>`: rows of its traffic report.

Telraam has no MQTT: a bridge publishes what the API gives, one row, a list of rows, or `{"report": […]}`. The sensor is
`telraam-<segment>`, `date` the start of the interval, counts become vehicles per hour (cars and heavy vehicles) and
`bike_per_h`, `pedestrian_per_h`; they are fractions, as Telraam scales them itself, and are not scaled again. `uptime` is
the share of the interval in which the camera saw: it is always stored as `uptime_share`, and below 0.5 the counts, which
Telraam advises not to use, are left out, so that the hour shows as missing and why.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.decoders.checks import Window, number, parse_json, shown, text_moment
from ingest.decoders.columns import joined, readings
from services.domain import Decoded, Kind, Message, Reading, Rejected
from services.errors import InputError

_LEAST_UPTIME: Final = 0.5
_PER_HOUR: Final = {"hourly": 1, "quarterly": 4}
_OTHERS: Final = {"bike": "bike_per_h", "pedestrian": "pedestrian_per_h", "night": "night_per_h"}


def decode(message: Message, window: Window) -> Decoded:
    """All that the rows of a report say.

    Raises:
        InputError: it is not a report of Telraam.

    """
    content = parse_json(message.payload)
    if isinstance(content, dict) and isinstance(content.get("report"), list):
        content = content["report"]
    rows = content if isinstance(content, list) else [content]
    if not rows:
        reason = "the report has no rows"
        raise InputError(reason)
    sensor = joined("telraam", message.topic.split("/")[1])
    found: list[Reading] = []
    rejected: list[Rejected] = []
    for item, row in enumerate(rows):
        try:
            found += _row(sensor, row, window)
        except InputError as refusal:
            rejected.append(Rejected(reason=str(refusal), item=item if isinstance(content, list) else None))
    return Decoded(readings=tuple(found), rejected=tuple(rejected))


def _row(sensor: str, row: Any, window: Window) -> list[Reading]:
    if not isinstance(row, dict) or not isinstance(row.get("date"), str):
        message = f"{shown(row)} is not a row of Telraam's traffic report"
        raise InputError(message)
    observed_us = text_moment(row["date"], window)
    interval = row.get("interval")
    if not isinstance(interval, str) or interval not in _PER_HOUR:
        message = f"interval is {shown(interval)}, but hourly or quarterly is expected"
        raise InputError(message)
    uptime = number("uptime", row.get("uptime"), low=0, high=1, why="it is a share between 0 and 1")
    values = {"uptime_share": uptime}
    if uptime >= _LEAST_UPTIME:
        counts = {name: _count(row, name) for name in ("car", "heavy", *_OTHERS) if row.get(name) is not None}
        if "car" in counts:
            values["flow_vph"] = (counts["car"] + counts.get("heavy", 0.0)) * _PER_HOUR[interval]
        values |= {quantity: counts[name] * _PER_HOUR[interval] for name, quantity in _OTHERS.items() if name in counts}
        if row.get("v85") is not None:
            values["speed_v85_kmh"] = number("v85", row["v85"], low=0, why="a speed is not negative")
    return readings(sensor, observed_us, values, kind=Kind.TRAFFIC)


def _count(row: dict[str, Any], name: str) -> float:
    return number(name, row[name], low=0, high=1e6, why="a count lies between 0 and 1,000,000")
