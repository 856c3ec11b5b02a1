"""Code concerned with the load of the city as tables, for those who do not see the curves or want the numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
from dash.development.base_component import Component

from dashboards import words
from dashboards.context import City
from dashboards.figures.axes import Moments, Numbers
from dashboards.figures.load import LoadOutlook
from dashboards.parts import Content, table
from services.domain import from_us

_HOUR_US: Final = 3_600_000_000


def hours(at_us: Moments, power_kw: Numbers, outlook: LoadOutlook | None, city: City, now: datetime) -> Component:
    """The curve at full hours: as measured, then as forecast with its bounds [MW]."""
    rows: list[list[Content]] = [
        [_clock(at, city, now), _mw(value), "–", "–", "–"]
        for at, value in zip(at_us.tolist(), power_kw.tolist(), strict=True)
        if at % _HOUR_US == 0
    ]
    if outlook is not None:
        bounds = np.stack([outlook.low_kw, outlook.median_kw, outlook.high_kw], axis=1).tolist()
        rows += [
            [_clock(at, city, now), "–", *(_mw(value) for value in row)]
            for at, row in zip(outlook.target_us.tolist(), bounds, strict=True)
            if at % _HOUR_US == 0
        ]
    headings = ["Time", "Measured [MW]", "Forecast, 5 % [MW]", "Median [MW]", "95 % [MW]"]
    return table(headings, rows, numeric=range(1, len(headings)))


def durations(power_kw: Numbers) -> Component:
    """Which load is exceeded for each tenth of the time range [MW]; dashes where nothing was measured."""
    known = power_kw[np.isfinite(power_kw)]
    shares = np.arange(0, 101, 10)
    levels = np.quantile(known, 1 - shares / 100) if len(known) else np.full(len(shares), np.nan)
    rows = [[words.percent(share / 100), _mw(level)] for share, level in zip(shares, levels.tolist(), strict=True)]
    return table(["Share of the time it is exceeded", "Load [MW]"], rows, numeric=[0, 1])


def _clock(at_us: int, city: City, now: datetime) -> str:
    return words.clock(from_us(at_us), city.zone, now=now)


def _mw(power_kw: float) -> str:
    return words.number(power_kw / 1_000, 2)
