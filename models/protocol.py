"""Code concerned with protocols: from where a recording is forecast, how far, and what is counted.

A protocol names origins. Whoever forecasts from origin o is handed the columns before o and nothing else; models are
fitted to columns before the test part (or, with `refit`, before the newest refit), chosen and calibrated on validation
origins that all lie before the first test origin. What published tables do differently lies in few places: which
origins (`rolling`, `windows`, `every_origin`), whether a horizon means its last step or all steps up to it (`span`),
whether errors are in the recording's unit or in standard deviations of the training part (`units`), and the period of
MASE (`season`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Panel, Values

Columns = NDArray[np.int64]
_VALIDATION_ORIGINS: Final = 336


class Span(StrEnum):
    """What a horizon of h steps is measured on: step h alone, or all of the steps 1 to h."""

    AT = "at"
    THROUGH = "through"


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """Errors are measured on (value - centre) / scale of each sensor; both of shape (sensors,)."""

    centre: Values
    scale: Values

    @classmethod
    def of_training(cls, panel: Panel, train_end: int) -> Units:
        """Mean and standard deviation of each sensor's first `train_end` columns, as LTSF tables scale."""
        seen = panel.values[:, :train_end]
        scale = np.nanstd(seen, axis=1)
        return cls(centre=np.nanmean(seen, axis=1), scale=np.where(scale > 0, scale, 1.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Protocol:
    """How a recording is forecast and measured.

    Attributes:
        name: as given with `--protocol`.
        description: the same in words, for table and JSON.
        horizons: lead times in steps, ascending; 1 is the next step.
        train_end: models are fitted to the columns before it for the choice on `validation`.
        validation: origins, ascending, from `train_end` on; targets that lie in the test part are not looked at.
        test: origins, ascending.
        season: the period of MASE in steps.
        span: what a horizon is measured on.
        whole: only origins count whose horizon ends inside the recording.
        fitted_to: models of the test part are fitted to the columns before it; None is the first test origin.
        refit: after how many steps the models are fitted anew; None fits once per part.
        recalibrated: steps between calibrations of intervals from errors known by then; None is a day.
        units: the scale of errors; None is the recording's own unit.
        headline: the metric a table is sorted by.
        windowed_mase: MASE scales each window by the history before it (GIFT-Eval, fev) and averages over windows,
            instead of scaling each sensor's MAE by the history before the test part.

    """

    name: str
    description: str
    horizons: tuple[int, ...]
    train_end: int
    validation: Columns
    test: Columns
    season: int
    span: Span = Span.AT
    whole: bool = False
    fitted_to: int | None = None
    refit: int | None = None
    recalibrated: int | None = None
    units: Units | None = None
    headline: str = "mae"
    windowed_mase: bool = False

    @property
    def steps(self) -> int:
        """The furthest lead time."""
        return max(self.horizons)

    @property
    def leads(self) -> Columns:
        """The steps ahead that are forecast and kept, from 0: those of the horizons, or all up to the furthest."""
        if self.span is Span.THROUGH:
            return np.arange(self.steps)
        return np.array(sorted(self.horizons)) - 1

    def of_horizon(self, horizon: int) -> slice:
        """The places in `leads` that a horizon is measured on."""
        if self.span is Span.THROUGH:
            return slice(0, horizon)
        k = sorted(self.horizons).index(horizon)
        return slice(k, k + 1)

    def check(self, length: int) -> None:
        """Refuse what cannot be measured.

        Raises:
            ValueError: the recording has too few steps.

        """
        between = int(self.test[0]) - self.train_end if len(self.test) else 0
        if not len(self.test) or self.train_end < 2 * self.season or between < self.steps or not len(self.validation):
            message = (
                f"{length} steps are too few: training has {self.train_end}, at least {2 * self.season} are needed, "
                f"and validation {between} for a horizon of {self.steps}"
            )
            raise ValueError(message)


def rolling(
    length: int,
    horizons: tuple[int, ...],
    season: int,
    *,
    description: str,
    name: str = "rolling",
    train: float = 0.7,
    test: float = 0.2,
    stride: int = 1,
    span: Span = Span.AT,
    whole: bool = False,
    refit: int | None = None,
) -> Protocol:
    """Chronological shares of training, validation and test, and an origin every `stride` steps of the test part."""
    train_end, test_begin = round(length * train), length - round(length * test)
    last = length - max(horizons) + 1 if whole and span is Span.AT else length
    return Protocol(
        name=name,
        description=description,
        horizons=horizons,
        train_end=train_end,
        validation=validation_origins(train_end, test_begin),
        test=np.arange(test_begin, last, stride),
        season=season,
        span=span,
        whole=whole,
        refit=refit,
    )


def windows(
    length: int,
    horizon: int,
    count: int,
    season: int,
    *,
    name: str,
    description: str,
    validation_steps: int,
    validation_stride: int,
    refit: int | None = None,
) -> Protocol:
    """The last `count` windows of `horizon` steps that do not overlap; each is forecast from everything before it.

    Validation origins lie in the `validation_steps` before the first window, `validation_stride` apart.
    """
    test = length - horizon * np.arange(count, 0, -1)
    train_end = int(test[0]) - validation_steps
    return Protocol(
        name=name,
        description=description,
        horizons=(horizon,),
        train_end=train_end,
        validation=np.arange(train_end, int(test[0]), validation_stride),
        test=test,
        season=season,
        span=Span.THROUGH,
        whole=True,
        refit=refit,
        headline="mase",
        windowed_mase=True,
    )


def every_origin(
    panel: Panel, horizons: tuple[int, ...], season: int, *, train_end: int, test: range, name: str, description: str
) -> Protocol:
    """LTSF: every window whose targets all lie inside `test`, in standard deviations of the training part.

    Models learn from the training part alone; the validation part is for choices.
    """
    return Protocol(
        name=name,
        description=description,
        horizons=horizons,
        train_end=train_end,
        validation=validation_origins(train_end, test.start),
        test=np.arange(test.start, test.stop - min(horizons) + 1),
        season=season,
        span=Span.THROUGH,
        whole=True,
        fitted_to=train_end,
        recalibrated=panel.steps_per_day,
        units=Units.of_training(panel, train_end),
        headline="mse",
    )


def validation_origins(begin: int, end: int) -> Columns:
    """At most 336 or so origins between two columns, an odd number of steps apart, so that all hours of the day occur."""
    stride = max(1, (end - begin) // _VALIDATION_ORIGINS) | 1
    return np.arange(begin, end, stride)
