"""Code concerned with what every forecasting model promises; `tests/contracts/test_forecasters.py` holds each to it.

A model learns with `fit` and forecasts with what it learnt and a panel that ends at the issue time:

- the result has a row per sensor of the panel and a column per step ahead;
- a sensor with at least one value gets finite numbers, one without gets NaN, and no sensor's row depends on another
  sensor being absent, constant, broken or empty;
- the same input gives the same output, and nothing after the panel's end can change it: it is not there;
- scaling a sensor by a positive factor scales its forecast; a model with `shifts` also follows an added constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.panel import Panel, Values


class Fitted(Protocol):
    """What a model learnt."""

    def forecast(self, panel: Panel, steps: int) -> Values:
        """Forecast from the end of a panel.

        Args:
            panel: the same sensors in the same order as in `fit`, up to the issue time.
            steps: how many steps ahead, at most those given to `fit`.

        Returns:
            Point forecasts (sensors x steps) in the panel's unit; the first column is the step that begins where the
            panel ends.

        """
        ...


@runtime_checkable
class Forecaster(Protocol):
    """A model before it has seen data; frozen, so that its name and fields say all about it."""

    @property
    def name(self) -> str:
        """The name under which results are stored and printed."""
        ...

    @property
    def shifts(self) -> bool:
        """Whether adding a constant to a sensor adds it to the forecast."""
        ...

    def fit(self, panel: Panel, steps: int) -> Fitted:
        """Learn from a panel what is needed to forecast up to `steps` ahead."""
        ...


@runtime_checkable
class Rolling(Protocol):
    """What a fitted model may offer besides: forecasts from many origins in one pass."""

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """What `forecast(panel.cut(origin), steps)` gives for each of the origins (origins x sensors x steps)."""
        ...


@runtime_checkable
class Shared(Protocol):
    """What a model may offer besides: fits to several beginnings of a panel that share their work."""

    def fit_at(self, panel: Panel, ends: Sequence[int], steps: int) -> list[Fitted]:
        """What `fit(panel.cut(end), steps)` gives for each of the ends, ascending, nearly.

        The first is exactly that. Later ones may take over choices the first made, such as which values to distrust.
        """
        ...


@runtime_checkable
class Patient(Protocol):
    """What a model may offer besides: how much history it takes before it is worth a try."""

    @property
    def least_days(self) -> int:
        """Days of history below which selection leaves it out."""
        ...


@runtime_checkable
class Light(Protocol):
    """What a fitted model may offer besides: itself in fewer bytes, for who keeps many."""

    def light(self) -> Fitted:
        """The same but for rounding that is far below what a forecast can be wrong by."""
        ...


def rolling(fitted: Fitted, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
    """Forecasts from many origins, each from what came before it (origins x sensors x steps)."""
    if isinstance(fitted, Rolling):
        return fitted.rolling(panel, origins, steps)
    made = np.empty((len(origins), panel.sensors, steps))
    for k, origin in enumerate(origins):
        made[k] = fitted.forecast(panel.cut(int(origin)), steps)
    return made


def last_finite(values: Values) -> Values:
    """The newest value of each row that is not missing, NaN where there is none; shape (rows,)."""
    known = np.isfinite(values)
    if values.shape[1] == 0:
        return np.full(values.shape[0], np.nan)
    newest = values.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), values[np.arange(values.shape[0]), newest], np.nan)


def bounded(forecast: Values, panel: Panel) -> Values:
    """The forecast without what the quantity cannot be: negative where the panel says so."""
    return np.maximum(forecast, 0.0) if panel.nonnegative else forecast
