"""Code concerned with what a classical model says about one series, in words and numbers that a person can check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from models.panel import Panel


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A number of the model, in the unit of the series unless the name says otherwise; `error` is its standard error.

    None is an error that the model does not tell.
    """

    name: str
    value: float
    error: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What a model makes of one series.

    Attributes:
        model: its name.
        form: which of the forms of the model was used, in words.
        passed_over: the forms that were tried before, and why they were not used.
        from_us: where the values it was fitted to begin [µs since 1970 UTC].
        to_us: where they end.
        values: how many there are.
        level: where the series stands at the end, at an average time of the usual day.
        trend: change per week so far, where the model tells it; no forecast carries it on.
        season: the usual value at each step of the local day, by kind of day.
        terms: all parameters and coefficients.
        noise: the standard deviation of one-step errors.
        explained: the share of the variance that one-step forecasts explain, at most 1.

    """

    model: str
    form: str
    passed_over: tuple[str, ...]
    from_us: int
    to_us: int
    values: int
    level: Term
    trend: Term | None
    season: dict[str, tuple[float, ...]]
    terms: tuple[Term, ...]
    noise: float
    explained: float


@runtime_checkable
class Explains(Protocol):
    """What a model may offer besides: to say what it makes of a series."""

    def explain(self, panel: Panel) -> Explanation:
        """Fit to a panel of one sensor and tell.

        Raises:
            ValueError: it has no value.

        """
        ...
