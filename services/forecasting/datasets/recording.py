"""Code concerned with what a loader returns: a panel, the protocol by which it is measured, and published figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models import catalogue
from models.contract import Forecaster
from models.panel import Panel
from models.protocol import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What somebody else has published on the same data by the same protocol; `horizon` in steps, `source` citable."""

    model: str
    horizon: int
    metrics: dict[str, float]
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A recording ready for a backtest.

    Attributes:
        name: of the data set.
        panel: all of it, what is missing as NaN.
        protocol: from where, how far and how it is measured.
        published: figures to print beside ours.
        models: what is measured; selection chooses among `candidates`.
        candidates: the models selection may choose from.
        rows: the sensors that are scored; None is all, others only inform.
        flow: beside a panel of speeds, of the same sensors: what is measured are then the chances of congestion.
        without_holidays: measure everything once more on a calendar that knows no public holidays, as rows of their own.

    """

    name: str
    panel: Panel
    protocol: Protocol
    published: tuple[Published, ...] = ()
    models: tuple[Forecaster, ...] = catalogue.FORECASTERS
    candidates: tuple[str, ...] = tuple(one.name for one in catalogue.FORECASTERS)
    rows: tuple[int, ...] | None = None
    without_holidays: bool = False
    flow: Panel | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a person may ask of a loader on the command line; each loader says in its help which it heeds."""

    quantity: str | None = None
    freq: str | None = None
    horizon: int | None = None
    season: int | None = None
    country: str | None = None
    zone: str = "UTC"
    test_share: float = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """A family of recordings: `protocols` by name, the first is the default, and the loader that reads a path."""

    name: str
    protocols: tuple[str, ...]
    load: Callable[[Path, str, Options], Recording]
