"""Code concerned with which models there are: one line each, baselines included, plainest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from models.blend import Blend
from models.calendar_ridge import CalendarRidge
from models.contract import Forecaster
from models.ets import ETS
from models.informed import Informed
from models.last_value import LastValue
from models.load_ridge import LoadRidge
from models.long_linear import LongLinear
from models.network import Network
from models.profile import Profile
from models.profile_ridge import ProfileRidge
from models.sarimax import Sarimax
from models.seasonal_naive import SeasonalNaive
from models.structural import Structural

CANDIDATES: Final[tuple[Forecaster, ...]] = (
    LastValue(),
    SeasonalNaive(days=1),
    SeasonalNaive(days=7),
    Profile(),
    ProfileRidge(),
    CalendarRidge(),
)
"""Those that selection chooses from for every sensor of a city: vectorised, seconds for thousands of series."""

ON_ROADS: Final[tuple[Forecaster, ...]] = (*CANDIDATES, Network(rows=3_000))
"""Those for speed and flow at steps of up to a quarter of an hour, where what neighbours measure now comes here soon.

Learning from a quarter of the rows takes 0.4 of the time and loses 0.2 % on the synthetic city at 15 minutes.
"""

SHORT_S: Final = 900
"""Steps up to which the network model is a candidate [s]: there the last minutes say more of the next hour than the usual day."""

FORECASTERS: Final[tuple[Forecaster, ...]] = (*CANDIDATES, LoadRidge(), ETS())
"""Those that every recording is measured with; the last is fitted series by series, or where a person asks for it."""

SPECIAL: Final[tuple[Forecaster, ...]] = (Network(), LongLinear())
"""Those for data of one sort: short steps on a road network; far horizons of measurements without a calendar."""

JOINT: Final[tuple[Forecaster, ...]] = (LongLinear(shared=True),)
"""Those whose rows speak for one another, for the channels of one device: a broken row changes the others' forecasts."""

CLASSICAL: Final[tuple[Forecaster, ...]] = (Sarimax(), Structural())
"""Those for the few series where a person wants to read the model: a tenth to a third of a second for each."""


BLEND: Final = Blend(members=CANDIDATES)
"""What a city is forecast with, as one model: for who wants to measure on a recording what a few weeks' selection is worth."""


def for_steps(step_seconds: int) -> tuple[Forecaster, ...]:
    """Those that a recording of which nothing but its step is known is measured with, and chosen from.

    Up to a quarter of an hour the network model is among them, whose neighbours are those that correlate. Below that ETS and
    the load ridge are not: a season of 288 steps that is learnt from four days adds more noise than it tells, one of 2,016
    takes 3 s a series to learn, and regressions for each of 288 times of issue 30 MB a sensor.

    On the last fifth of what precedes the test parts of Los-loop (two pieces), I-5 (speed, flow and occupancy, both
    directions) and Minnesota (speeds, occupancy, travel times), all at steps of 5 or 10 minutes, what is selected erred 6, 4, 6
    and 11 % less than without both changes at the first, third and sixth step and at one to three hours.
    """
    if step_seconds > SHORT_S:
        return FORECASTERS
    return (*(CANDIDATES if step_seconds < SHORT_S else FORECASTERS), Network())


def informed(models: Sequence[Forecaster]) -> tuple[Forecaster, ...]:
    """What joins these models where covariates are known; without covariates they are their plain models."""
    return tuple(
        replace(one, informed=True, name=f"{one.name}_informed") if isinstance(one, LoadRidge) else Informed(plain=one)
        for one in models
        if isinstance(one, ProfileRidge | CalendarRidge | LoadRidge)
    )


_EVERY: Final = (*FORECASTERS, *informed(FORECASTERS), *SPECIAL, *JOINT, *CLASSICAL, BLEND)


def forecaster(name: str) -> Forecaster:
    """The model of that name.

    Raises:
        KeyError: there is none; the message lists those there are.

    """
    for one in _EVERY:
        if one.name == name:
            return one
    message = f"no model {name!r}; there are {', '.join(one.name for one in _EVERY)}"
    raise KeyError(message)
