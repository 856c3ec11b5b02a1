"""Code concerned with telling whether a household's meter is in a published sum: the game of "Two is not enough".

The attacker knows the load profiles of two households, one of which is in the sum, and picks the one whose removal leaves
first differences of smaller variance (Buescher et al., PoPETs 2017, https://doi.org/10.1515/popets-2017-0045). On
unprotected half-hourly sums of few homes that works; it is then played on the days that `district_energy` publishes. A
second attacker knows all other households as well, which is more than anybody knows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, share_interval
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.people import Integers
from services.privacy.attacks.recordings import DAYS, SLOTS, recorded_loads
from services.privacy.plan import Plan, load_plan
from services.privacy.products.catalogue import CATALOGUE
from services.storage.ledger import MICRO

_HOMES, _POOL = 100, 400
_GAMES, _FEW_GAMES = 4_000, 600
_CONTROL_HOMES: Final = 5
_CONTROL: Final = 0.5
_LIMIT: Final = 0.10
_WH: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SmartMeterMembership:
    """Plays for households of generated loads, or of recorded ones cut into weeks."""

    name: str = "smart-meter-membership"

    def run(self, ground: Ground) -> Finding:
        """Play with unprotected half-hours, then with released days."""
        rng = ground.rng(self.name)
        games = _FEW_GAMES if ground.short else _GAMES
        pool = generated_loads(rng, _POOL) if ground.meters is None else recorded_loads(ground.meters)
        control = 2 * _win_rate(pool.reshape(len(pool), -1), rng, games, _CONTROL_HOMES) - 1
        twenty = 2 * _win_rate(pool.reshape(len(pool), -1), rng, games, 20) - 1
        ground.tell(1, 3)
        plan = load_plan("district_energy")
        paid = plan.price(ground.micro_epsilon)
        epsilon = paid / MICRO
        wins, informed = _play_release(plan, paid, pool, rng, games)
        low, high = share_interval(wins, games, ground.confidence)
        informed_low, informed_high = share_interval(informed, games, ground.confidence)
        # Exchanging one household for another is two changes, each of ε and on every day of the week.
        bound = math.tanh(2 * epsilon * DAYS / 2)
        source = "generated" if ground.meters is None else "recorded"
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                Line(
                    what="advantage on a week of released days",
                    value=2 * wins / games - 1,
                    low=2 * low - 1,
                    high=2 * high - 1,
                    limit=_LIMIT,
                    judged=2 * (low if ground.short else wins / games) - 1,
                ),
                Line(
                    what="advantage of one who knows all other households, on a week",
                    value=2 * informed / games - 1,
                    low=2 * informed_low - 1,
                    high=2 * informed_high - 1,
                    limit=bound,
                    judged=2 * informed_low - 1,
                ),
            ),
            explanation=(
                f"{games:,} games with {source} households. Half-hourly sums of a week give the household away with an advantage of "
                f"{control:.2f} among {_CONTROL_HOMES} homes and {twenty:.2f} among 20; a week of released daily sums of {_HOMES} "
                f"homes with {2 * wins / games - 1:+.3f}, and {2 * informed / games - 1:+.3f} for one who knows the other "
                f"{_HOMES - 1}."
            ),
        )


def habitual_loads(rng: np.random.Generator, homes: int) -> Floats:
    """A week of half-hours of each home [kWh], (homes, 7, 48): habits of its own and small appliances."""
    hour = np.arange(SLOTS) / 2
    yearly = rng.lognormal(np.log(3_000), 0.4, homes)
    later = rng.normal(0, 1.1, homes)[:, None]

    def bump(middle: float, width: float) -> Floats:
        return np.asarray(np.exp(-0.5 * (((hour - later - middle + 12) % 24 - 12) / width) ** 2))

    shape = 0.42 + 0.75 * bump(7.4, 1.2) + 0.35 * bump(12.7, 2.2) + 1.75 * bump(19.2, 2.3)
    return np.asarray(
        (yearly / 8_766 / 2)[:, None, None] * shape[:, None, :] * rng.gamma(1.3, 1 / 1.3, (homes, DAYS, SLOTS))
    )


def generated_loads(rng: np.random.Generator, homes: int) -> Floats:
    """The same with some heat pumps and cars."""
    load = habitual_loads(rng, homes)
    load += (rng.random(homes) < 0.2)[:, None, None] * 0.4 * rng.uniform(0.6, 1.4, (homes, DAYS, SLOTS))
    cars = (rng.random(homes) < 0.15)[:, None] & (rng.random((homes, DAYS)) < 0.45)
    begins = rng.integers(35, 46, (homes, DAYS))
    charging = cars[:, :, None] & (np.arange(SLOTS) >= begins[:, :, None]) & (np.arange(SLOTS) < begins[:, :, None] + 5)
    return np.asarray(load + charging * 7.4 / 2)


def _win_rate(profiles: Floats, rng: np.random.Generator, games: int, homes: int) -> float:
    """How often smaller variance of first differences points at the household that is in the sum of `homes`."""
    steps = np.diff(profiles, axis=1)
    wins = 0
    for _ in range(games):
        picked = rng.choice(len(steps), homes + 1, replace=False)
        total = steps[picked[:-1]].sum(axis=0)
        inside, outside = steps[picked[0]], steps[picked[-1]]
        wins += int((total - inside).var() < (total - outside).var())
    return wins / games


def _play_release(plan: Plan, paid: int, pool: Floats, rng: np.random.Generator, games: int) -> tuple[int, int]:
    """Games won on a week of releases of one district each: by first differences, and knowing all others."""
    most = plan.measure_named("energy_wh").per_cell
    daily_wh = np.minimum((pool.sum(axis=2) * _WH).astype(np.int64), most)
    picked = np.stack([rng.choice(len(pool), min(_HOMES, len(pool) - 1) + 1, replace=False) for _ in range(games)])
    total: Integers = daily_wh[picked[:, :-1]].sum(axis=1)
    inside, outside = daily_wh[picked[:, 0]], daily_wh[picked[:, -1]]
    homes = np.full((games, DAYS), picked.shape[1] - 1, dtype=np.int64)
    drawn = drawing.draw(plan, CATALOGUE[plan.name], paid, {"households": homes, "energy_wh": total})
    published = np.where(drawn.shown, drawn.values["energy_wh"], 0)
    by_steps = [np.diff(published - known, axis=1).var(axis=1) for known in (inside, outside)]
    rest = total - inside
    by_rest = [np.abs(published - rest - known).sum(axis=1) for known in (inside, outside)]
    return int((by_steps[0] < by_steps[1]).sum()), int((by_rest[0] < by_rest[1]).sum())
