"""Code concerned with telling a person what a classical model makes of one sensor's history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from models import catalogue
from models.explanation import Explains, Explanation, Term
from models.panel import Panel
from services.domain import from_us, to_us
from services.errors import InputError, NotFoundError
from services.forecasting.city_calendar import city_calendar
from services.forecasting.datasets.recording import Recording
from services.forecasting.grid import by_step, to_panel
from services.forecasting.learnt import HORIZON, History
from services.forecasting.series import never_negative
from services.settings import Settings
from services.storage import panels, sensors
from services.storage.database import connect

_QUARTER_US: Final = 900_000_000
_EVERY_HOURS: Final = 3


def explain(panel: Panel, model: str) -> Explanation:
    """What the model of that name makes of the only sensor of a panel.

    Raises:
        InputError: there is no such model, it explains nothing, or the sensor has no value.

    """
    speaking = {one.name: one for one in (*catalogue.FORECASTERS, *catalogue.CLASSICAL) if isinstance(one, Explains)}
    if model not in speaking:
        message = f"--model {model!r}: those that explain themselves are {', '.join(speaking)}"
        raise InputError(message)
    if not np.isfinite(panel.values).any():
        message = f"{panel.names[0]} has no value in the history: ask for another sensor, or with --at for another time"
        raise InputError(message)
    return speaking[model].explain(panel)


def of_city(settings: Settings, code: str, quantity: str | None, until: datetime | None) -> tuple[str, Panel]:
    """The quantity and the panel of one sensor of the city, as learning would see it now or as of a time.

    Raises:
        NotFoundError: there is no sensor of that code.
        InputError: it is not forecast, or has nothing of that quantity in the history.

    """
    with connect(settings.role_dsn("jobs"), application="forecast") as connection:
        found = sensors.resolve(connection, [code]).get(code)
        if found is None:
            message = f"there is no sensor {code!r}; GET /api/v1/sensors lists those there are"
            raise NotFoundError(message)
        number, kind = found
        if kind not in HORIZON:
            message = f"{code} is of kind {kind}, which is not forecast"
            raise InputError(message)
        wanted = History(
            until_us=to_us(until or datetime.now(UTC)) // _QUARTER_US * _QUARTER_US,
            days=settings.forecast_history_days,
            calendar=city_calendar(settings),
            received_by=until,
        )
        of_shard = panels.sensors(connection, kind, number // panels.SHARD_SENSORS)
        read = panels.history(
            connection,
            kind,
            [number],
            since=from_us(wanted.since_us),
            until=from_us(wanted.until_us),
            received_by=until,
        )
    there = [one for one in read if np.isfinite(one.value).any()]
    chosen = next((one for one in there if quantity in {None, one.quantity}), None)
    if chosen is None:
        known = ", ".join(one.quantity for one in there) or "no value at all"
        message = f"{code} has no {quantity or 'value'} in the last {wanted.days} days; it has {known}"
        raise InputError(message)
    step = next(iter(by_step([one for one in of_shard if one.id == number], [chosen])))
    panel = to_panel(
        chosen,
        [number],
        step_seconds=step,
        until_us=wanted.until_us,
        calendar=wanted.calendar,
        nonnegative=never_negative(chosen.quantity),
    )
    return chosen.quantity, panel


def of_recording(recording: Recording, name: str) -> Panel:
    """One sensor of a recording.

    Raises:
        NotFoundError: the recording has no such sensor.

    """
    names = np.array(recording.panel.names)
    if name not in recording.panel.names:
        message = f"{recording.name} has no sensor {name!r}; it has {', '.join(recording.panel.names)}"
        raise NotFoundError(message)
    return recording.panel.rows(names == name)


def document(sensor: str, quantity: str | None, told: Explanation) -> dict[str, Any]:
    """The explanation as one JSON document."""
    plain = asdict(told)
    begin, end = plain.pop("from_us"), plain.pop("to_us")
    return {"sensor": sensor, "quantity": quantity, "from": from_us(begin), "to": from_us(end), **plain}


def table(sensor: str, quantity: str | None, told: Explanation) -> list[str]:
    """The explanation as lines."""
    series = f"{sensor}, {quantity}" if quantity else sensor
    span = f"{from_us(told.from_us):%Y-%m-%d %H:%M} to {from_us(told.to_us):%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{series}: {told.model} on {told.values} values from {span}.",
        f"Form: {told.form}.",
        *(f"Passed over: {one}." for one in told.passed_over),
        f"Errors of one step ahead: standard deviation {told.noise:.4g}; {told.explained:.1%} of the variance is explained.",
        "",
        f"{'':<44}{'value':>12}{'std. error':>12}",
        *(_line(term) for term in (told.level, *((told.trend,) if told.trend else ()), *told.terms)),
    ]
    if told.season:
        lines += ["", "Usual day, by the local clock", *_shapes(told.season)]
    return lines


def _line(term: Term) -> str:
    error = "" if term.error is None else f"{term.error:.4g}"
    return f"{term.name:<44}{term.value:>12.5g}{error:>12}"


def _shapes(season: dict[str, tuple[float, ...]]) -> Sequence[str]:
    steps = len(next(iter(season.values())))
    hours = range(0, 24, _EVERY_HOURS) if steps >= 24 // _EVERY_HOURS else range(0, 24, 24 // steps)
    places = [hour * steps // 24 for hour in hours]
    return [
        f"{'':<20}" + "".join(f"{f'{hour:02d}:00':>9}" for hour in hours),
        *(f"{name:<20}" + "".join(f"{shape[k]:>9.4g}" for k in places) for name, shape in season.items()),
    ]
