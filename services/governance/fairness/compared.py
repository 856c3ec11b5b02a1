"""Code concerned with comparing groups: figures of each with bootstrap intervals, and the ratio and gap between the extremes.

The comparison is fairlearn's MetricFrame. Its rows are sums of one unit (a sensor, a cell, a district's day), not single
forecasts, so that the bootstrap draws whole units: errors of one sensor belong together, and few rows keep it fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.errors import ConfigurationError

Numbers = npt.NDArray[np.float64]
_QUANTILES: Final = (0.025, 0.975)
_SEED: Final = 20_261_122


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratio:
    """A figure of a group: the sum of `above` over the sum of `below`, over its units."""

    above: Numbers
    below: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval; NaN is not known."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """With null for what is not known."""
        return {
            "value": _known(self.value),
            "low": _known(self.low),
            "high": _known(self.high),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Groups side by side.

    Attributes:
        units: how many units each group has.
        by_group: each figure of each group.
        ratios: the largest over the smallest group's figure.
        gaps: the largest less the smallest.

    """

    units: Mapping[str, int]
    by_group: Mapping[str, Mapping[str, Estimate]]
    ratios: Mapping[str, Estimate]
    gaps: Mapping[str, Estimate]


def compare(figures: Mapping[str, Ratio], groups: Sequence[str], *, samples: int) -> Comparison:
    """Compare the groups that units belong to.

    Args:
        figures: by name; arrays with one number per unit.
        groups: the group of each unit.
        samples: how often the units are drawn anew.

    Raises:
        ConfigurationError: fairlearn is not installed.

    """
    frame_of = _metric_frame()
    rows = np.arange(len(groups))  # what a metric is given; it looks the sums up, since handing them over is slow
    frame = frame_of(
        metrics={name: _metric(figure) for name, figure in figures.items()},
        y_true=rows,
        y_pred=rows,
        sensitive_features=np.asarray(groups, dtype=object),
        n_boot=samples,
        ci_quantiles=list(_QUANTILES),
        random_state=_SEED,
    )
    low, high = frame.by_group_ci
    smallest_low, smallest_high = frame.ratio_ci()
    gap_low, gap_high = frame.difference_ci()
    ratio, gap = frame.ratio(), frame.difference()
    names = [str(group) for group in frame.by_group.index]
    return Comparison(
        units={name: groups.count(name) for name in names},
        by_group={
            name: {
                figure: Estimate(
                    value=float(frame.by_group[figure][name]),
                    low=float(low[figure][name]),
                    high=float(high[figure][name]),
                )
                for figure in figures
            }
            for name in names
        },
        ratios={
            figure: Estimate(
                value=_inverse(ratio[figure]), low=_inverse(smallest_high[figure]), high=_inverse(smallest_low[figure])
            )
            for figure in figures
        },
        gaps={
            figure: Estimate(value=float(gap[figure]), low=float(gap_low[figure]), high=float(gap_high[figure]))
            for figure in figures
        },
    )


def _metric(figure: Ratio) -> Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], float]:
    def of(rows: npt.NDArray[np.int64], _rows: npt.NDArray[np.int64]) -> float:
        below = figure.below[rows].sum()
        return float(figure.above[rows].sum() / below) if below > 0 else math.nan

    return of


def _metric_frame() -> Callable[..., Any]:
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError as error:
        message = "the fairness audit needs the package fairlearn: pip install 'arterial[governance]'"
        raise ConfigurationError(message) from error
    made: Callable[..., Any] = MetricFrame
    return made


def _inverse(share: float) -> float:
    return 1 / float(share) if share > 0 else math.nan


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
