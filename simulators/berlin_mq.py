"""Code concerned with the recording of Berlin's traffic detectors: hourly cross-sections of 2023 and 2024.

Stamps are naive local clock hours (hour 8 is 08:00 to 08:59). Hour 02 of a March clock change is empty. Hour 02 of an October
one holds what looks like both of its hours added together; which half is whose is unknown, so that value is left out.
Speed -1 is no value. A section whose name ends in n was renewed and stands where the one without n stood.
"""

from __future__ import annotations

import csv
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from services.domain import Kind
from services.errors import InputError, reason
from simulators.recordings import RecordedSensor, Recording
from simulators.streams import Floats
from simulators.wall_clock import to_utc

ARCHIVE = "berlin_mq_hourly_2023_2024.npz"
_STATIONS = "stations_raw.csv"
_ZONE = ZoneInfo("Europe/Berlin")
_STEP_S = 3_600


def read_berlin(folder: Path) -> Recording:
    """All cross-sections of the folder; flow in veh/h and speed in km/h.

    Raises:
        InputError: a file is missing or is not what it should be.

    """
    try:
        with np.load(folder / ARCHIVE, allow_pickle=False) as archive:
            stamps, names = archive["time"], archive["names"]
            flow, speed = archive["flow"].astype(np.float64), archive["speed"].astype(np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        message = f"{folder / ARCHIVE} cannot be read: {reason(error)}"
        raise InputError(message) from error
    if flow.shape != (len(stamps), len(names)) or speed.shape != flow.shape:
        message = (
            f"{folder / ARCHIVE}: flow is {flow.shape}, but {len(stamps)} times x {len(names)} sections are expected"
        )
        raise InputError(message)
    naive: list[datetime] = stamps.astype("datetime64[s]").astype(object).tolist()
    times_us, never, twice = to_utc(naive, _ZONE)
    flow[twice], speed[twice] = np.nan, np.nan
    flow[flow < 0], speed[speed < 0] = np.nan, np.nan
    kept = ~never
    times_us, flow, speed = times_us[kept], flow[kept], speed[kept]
    stations = _stations(folder / _STATIONS)
    sensors = tuple(_sensor(str(name), stations, flow[:, i], speed[:, i]) for i, name in enumerate(names))
    return Recording(name=folder.name, zone=_ZONE, times_us=times_us, step_s=_STEP_S, sensors=sensors)


def _sensor(name: str, stations: dict[str, dict[str, Any]], flow: Floats, speed: Floats) -> RecordedSensor:
    described = stations.get(name) or stations.get(name.removesuffix("n")) or {}
    moving = speed[np.isfinite(speed)]
    # What PeMS and Fintraffic do for want of a measured one: a high percentile of what was driven.
    free_flow = round(float(np.percentile(moving, 90)), 1) if len(moving) > 100 else None
    meta = {"name": name, **described, "unit": "veh/h", "step_seconds": _STEP_S, "free_flow_kmh": free_flow}
    return RecordedSensor(
        code=name.lower(), kind=Kind.TRAFFIC, meta=meta, values={"flow_vph": flow, "speed_kmh": speed}
    )


def _stations(file: Path) -> dict[str, dict[str, Any]]:
    """Name, road and place by cross-section, from the register of its lanes: the place is the mean of the lanes."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            lanes = list(csv.DictReader(lines))
        places: dict[str, list[dict[str, str]]] = {}
        for lane in lanes:
            places.setdefault(lane["MQ_KURZNAME"], []).append(lane)
        return {name: _described(name, rows) for name, rows in places.items()}
    except (OSError, KeyError, ValueError) as error:
        message = f"{file} cannot be read: {reason(error)}"
        raise InputError(message) from error


def _described(name: str, lanes: list[dict[str, str]]) -> dict[str, Any]:
    first = lanes[0]
    placed = [(lane["LÄNGE (WGS84)"], lane["BREITE (WGS84)"]) for lane in lanes if lane["LÄNGE (WGS84)"]]
    lon, lat = np.array(placed, dtype=np.float64).mean(axis=0).round(6).tolist() if placed else (None, None)
    towards = f", towards {first['RICHTUNG']}" if first["RICHTUNG"] else ""
    return {"name": f"{first['STRASSE']} {name}{towards}", "road": first["STRASSE"] or None, "lon": lon, "lat": lat}
