"""Code concerned with the Berlin archive: hourly flow and speed of directional cross-sections, 2023 and 2024."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.catalogue import CANDIDATES
from models.ets import ETS
from models.panel import Panel, Values
from models.protocol import rolling
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Recording

BERLIN_FILE: Final = "berlin_mq_hourly_2023_2024.npz"
BERLIN_PRESENT: Final = 0.8
CONGESTION: Final = "congestion"
BERLIN_PROTOCOLS: Final = ("rolling", CONGESTION)
_QUANTITIES: Final = ("flow", "speed", "flow_car", "flow_truck")
_HORIZONS: Final = (1, 3, 6, 12, 24)


def berlin(path: Path, protocol: str = "rolling", options: Options | None = None) -> Recording:
    """The cross-sections of Berlin whose flow is present in at least 80 % of all hours.

    Times are local clock hours without a zone and are read as they stand; negative numbers mean no value.

    Args:
        path: the archive or its folder.
        protocol: `rolling`: 70/10/20, every origin of the test part. `congestion`: the same parts, and what is measured
            are the chances of the classes of speed over free-flow speed.
        options: `quantity` is flow, speed, flow_car or flow_truck.

    Raises:
        InputError: the archive is not in the folder, is no such archive, or has no such quantity.

    """
    quantity = (options.quantity if options else None) or ("speed" if protocol == CONGESTION else "flow")
    file = path / BERLIN_FILE if path.is_dir() else path
    if protocol == CONGESTION and quantity != "speed":
        message = f"--quantity {quantity!r}: congestion is measured on speed and flow together; leave it out"
        raise InputError(message)
    if quantity not in _QUANTITIES:
        message = f"--quantity {quantity!r}: the Berlin recording has {', '.join(_QUANTITIES)}"
        raise InputError(message)
    try:
        with np.load(file, allow_pickle=False) as archive:
            time, names = archive["time"], archive["names"]
            flow, values = archive["flow"], archive[quantity].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        message = f"{file} cannot be read as the Berlin recording: {reason(error)}"
        raise InputError(message) from error
    kept = (np.isfinite(flow) & (flow >= 0)).mean(axis=0) >= BERLIN_PRESENT
    panel = _panel(values, time, names, kept)
    description = f"{quantity} of {panel.sensors} sections present in at least 80 % of hours; 70/10/20; masked"
    made = rolling(panel.length, _HORIZONS, 168, description=description, name=protocol)
    return Recording(
        name="berlin_mq",
        panel=panel,
        protocol=made,
        models=(*CANDIDATES, ETS()),
        candidates=tuple(one.name for one in CANDIDATES),
        flow=_panel(flow.astype(np.float64), time, names, kept) if protocol == CONGESTION else None,
    )


def _panel(values: Values, time: NDArray[np.datetime64], names: NDArray[np.str_], kept: NDArray[np.bool_]) -> Panel:
    return Panel(
        names=tuple(str(name) for name in names[kept]),
        values=np.ascontiguousarray(np.where(values < 0, np.nan, values)[:, kept].T),
        start_us=int(time[0].astype("datetime64[us]").astype(np.int64)),
        step_seconds=3600,
        calendar=Calendar(country="DE", region="BE"),
        nonnegative=True,
    )
