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
