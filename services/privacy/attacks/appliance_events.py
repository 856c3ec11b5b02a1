"""Code concerned with hearing one household's appliances in a published sum: when its car, heat pump and oven go on and off.

Non-intrusive load monitoring matches edges (Hart 1992, https://doi.org/10.1109/5.192069): a step between two half-hours of
about what an appliance draws. The attacker knows what each appliance of the household draws, at which times of day the
population switches such appliances, and how the series steps when nobody does; each step is given to the likeliest event or to none
by Bayes' rule. Daily sums have no such edges: of them it is asked on which days the car charged. Habits alone name some events
rightly, so what counts is the F1 score above that of a guess by habit. A second attacker knows the exact load of all other households.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.appliances import CAR, WEEK, Flags, Households, equip, events
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, mean_interval
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.people import Integers
from services.privacy.attacks.recordings import DAYS, SLOTS, recorded_loads
from services.privacy.attacks.smart_meter import habitual_loads
from services.privacy.plan import Plan, load_plan
from services.privacy.products.catalogue import CATALOGUE
from services.privacy.products.district_energy import DistrictEnergyOfDay
from services.privacy.products.district_load import LEAST_HOMES, DistrictLoad
from services.storage.personal import Loads, TimedLoads

_POOL, _FEW_POOL = 1_500, 300
_WEEKS, _FEW_WEEKS = 600, 80
_DAILY_HOMES: Final = 100
_CONTROL: Final = 0.3
_LIMIT: Final = 0.05
_RARE: Final = 1e-6
_THRESHOLDS: Final = np.geomspace(0.005, 0.9, 40)
_WH: Final = 1_000
_SLOT_US: Final = 30 * 60 * 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplianceEvents:
    """Listens to households of generated habits, or recorded ones, whose appliances are generated in either case."""

    name: str = "appliance-events"

    def run(self, ground: Ground) -> Finding:
        """Find events in the household's own half-hours, then in what the release job draws of its district."""
        rng = ground.rng(self.name)
        pool, weeks = (_FEW_POOL, _FEW_WEEKS) if ground.short else (_POOL, _WEEKS)
        kwh = habitual_loads(rng, pool) if ground.meters is None else recorded_loads(ground.meters)
        homes = equip(rng, kwh)
        who = rng.choice(homes.equipped, weeks)
        game = _Game.of(homes, who)
        own = homes.kwh.reshape(len(kwh), -1)[who]
        control = float(game.by_edges(own, np.ones(weeks)).mean())
        ground.tell(1, 3)
        lines = _from_half_hours(ground, rng, game, homes, who)
        ground.tell(2, 3)
        lines += _from_days(ground, rng, game, homes, who)
        source = "generated" if ground.meters is None else "recorded"
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=lines,
            explanation=(
                f"{weeks} weeks of households with {source} habits and generated appliances. Habit alone names their switching with an F1 "
                f"score of {game.habit.mean():.2f}; the household's own half-hours with {control:+.2f} more, released half-hours of "
                f"{LEAST_HOMES:,} homes with {lines[0].value:+.3f}, released days of {_DAILY_HOMES} homes with {lines[2].value:+.3f}."
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Game:
    """Weeks to listen to; the attacker has learnt from the first half of them and is scored on the second.

    Attributes:
        prior: how likely each event is at each step of the week in homes that can have it, (events, 335).
        kw: what each appliance draws, (weeks, appliances).
        charged: whether the car charged on a day, (weeks, 7).
        truth: the events that were, (weeks, events, 335).
        habit: F1 of each week of the second half by prior alone.

    """

    prior: Floats
    kw: Floats
    charged: Flags
    truth: Flags
    habit: Floats

    @classmethod
    def of(cls, homes: Households, who: Integers) -> _Game:
        """The weeks of these homes."""
        owned = homes.kw > 0
        truth = events(homes.running)
        often = np.stack(
            [each[has].mean(axis=0) for each, has in zip(truth.swapaxes(0, 1), np.tile(owned, 2).T, strict=True)]
        )
        a_day = np.pad(often, ((0, 0), (1, 0))).reshape(len(often), DAYS, SLOTS)[:, 1:].mean(axis=1)
        prior = np.clip(np.tile(a_day, DAYS)[:, 1:], _RARE, None)
        truth = truth[who]
        return cls(
            prior=prior,
            kw=homes.kw[who],
            charged=homes.running[who, CAR].reshape(-1, DAYS, SLOTS).any(axis=2),
            truth=truth,
            habit=_scores(np.broadcast_to(prior, truth.shape), truth),
        )

    def by_edges(self, kwh: Floats, kept: Floats) -> Floats:
        """F1 above habit from a week of half-hours each, (weeks, 336) [kWh], in which the share `kept` of the home's load is."""
        edges = np.diff(kwh, axis=1)
        level, spread = _still(edges[: len(edges) // 2], self.truth[: len(edges) // 2])
        steps = np.concatenate([self.kw, -self.kw], axis=1) / 2 * kept[:, None]
        rest = ((edges - level) / spread)[:, None, :]
        gain = rest * steps[:, :, None] / spread - 0.5 * (steps[:, :, None] / spread) ** 2
        odds = np.log(self.prior / np.maximum(1 - self.prior.sum(axis=0), _RARE)) + gain
        most = np.maximum(odds.max(axis=1, keepdims=True), 0)
        weight = np.exp(odds - most)
        return _scores(weight / (weight.sum(axis=1, keepdims=True) + np.exp(-most)), self.truth) - self.habit

    def by_days(self, kwh: Floats, own: Floats) -> Floats:
        """F1 of the days on which the car charged, above a guess by its habit, from (weeks, 7) [kWh] less all but the home.

        From `own`, its bounded days, the attacker knows what the home uses with the car and without.
        """
        learnt = len(kwh) // 2
        charged = self.charged
        idle = _mean_where(own, ~charged)
        takes = _mean_where(own, charged) - idle
        evidence = (takes * (kwh - idle) - takes**2 / 2) / (kwh - np.where(charged, idle + takes, idle))[:learnt].var()
        usual = float(charged[:learnt].mean())
        odds = usual / (1 - usual) * np.exp(np.clip(evidence, -50, 50))
        truth = charged[:, None, :]
        return _scores((odds / (1 + odds))[:, None, :], truth) - _scores(np.full(truth.shape, usual), truth)


def _mean_where(values: Floats, which: Flags) -> Floats:
    """The mean of each row over some of its columns, of all where it has none of these, (rows, 1)."""
    weight = np.where(which.any(axis=1, keepdims=True), which, 1)
    return np.asarray((values * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True))


def _from_half_hours(
    ground: Ground, rng: np.random.Generator, game: _Game, homes: Households, who: Integers
) -> tuple[Line, ...]:
    plan = load_plan("district_load")
    bounded = _bounded_half_hours(plan, homes)
    others, exact = _district(rng, bounded, who, LEAST_HOMES)
    published = _released(plan, ground.micro_epsilon, exact.reshape(-1, SLOTS), LEAST_HOMES).reshape(exact.shape)
    kept = bounded[who].sum(axis=1) / _WH / homes.kwh[who].sum(axis=(1, 2))
    return (
        _line(ground, f"F1 above habit from half hours of {LEAST_HOMES:,} homes", game.by_edges(published / _WH, kept)),
        _line(
            ground,
            "the same by one who knows all other households",
            game.by_edges((published - others) / _WH, kept),
        ),
    )


def _from_days(
    ground: Ground, rng: np.random.Generator, game: _Game, homes: Households, who: Integers
) -> tuple[Line, ...]:
    plan = load_plan("district_energy")
    bounded = _bounded_days(plan, homes)
    others, exact = _district(rng, bounded, who, _DAILY_HOMES)
    published = _released(plan, ground.micro_epsilon, exact.ravel(), _DAILY_HOMES).reshape(exact.shape)
    own = bounded[who] / _WH
    return (
        _line(
            ground,
            f"F1 above habit of the days on which a car charged, from days of {_DAILY_HOMES} homes",
            game.by_days((published - others.mean()) / _WH, own),
        ),
        _line(
            ground,
            "the same of such days by one who knows all other households",
            game.by_days((published - others) / _WH, own),
        ),
    )


def _still(edges: Floats, truth: Flags) -> tuple[Floats, Floats]:
    """Mean and deviation of the steps in which the household switches nothing, by time of day, (335,) each."""
    quiet = ~truth.any(axis=1)
    slot = np.arange(1, WEEK) % SLOTS

    def by_slot(values: Floats) -> Floats:
        total = np.bincount(slot, (values * quiet).sum(axis=0), SLOTS)
        return np.asarray((total / np.maximum(np.bincount(slot, quiet.sum(axis=0), SLOTS), 1))[slot])

    level = by_slot(edges)
    return level, np.sqrt(by_slot((edges - level) ** 2)) + _RARE


def _scores(chance: Floats, truth: Flags) -> Floats:
    """F1 of each week of the second half, events being what is likelier than the threshold that is best in the first."""
    learnt = len(truth) // 2
    best = max(_THRESHOLDS, key=lambda threshold: float(_f1(chance[:learnt] > threshold, truth[:learnt]).mean()))
    return _f1(chance[learnt:] > best, truth[learnt:])


def _f1(named: Flags, truth: Flags) -> Floats:
    right = (named & truth).sum(axis=(1, 2))
    return np.asarray(2 * right / np.maximum(named.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)), 1))


def _district(rng: np.random.Generator, bounded: Integers, who: Integers, homes: int) -> tuple[Integers, Integers]:
    """Sums over all other homes of a district, drawn from the pool, and over all, (weeks, columns) each."""
    share = np.full(len(bounded), 1 / len(bounded))
    times = rng.multinomial(homes - 1, share, len(who)).astype(np.float64)
    others = (times @ bounded.astype(np.float64)).astype(np.int64)  # exact: the sums are far below 2^53
    return others, others + bounded[who]


def _released(plan: Plan, cap: int, energy_wh: Integers, homes: int) -> Integers:
    """What is published of each row, nothing where it is withheld; same shape."""
    households = np.full(len(energy_wh), homes, dtype=np.int64)
    exact = {"households": households, "energy_wh": energy_wh}
    drawn = drawing.draw(plan, CATALOGUE[plan.name], plan.price(cap), exact)
    values = drawn.values["energy_wh"]
    return np.where(drawn.shown.reshape(-1, *[1] * (values.ndim - 1)), values, 0)


def _bounded_half_hours(plan: Plan, homes: Households) -> Integers:
    """What the product counts of each home, as if each were a district of its own [Wh], (homes, 336)."""
    number = np.arange(len(homes.kwh))
    names = people.pseudonyms(np.random.default_rng(0), len(number))
    today = people.the_day()
    begins = int(today.start.timestamp()) * 1_000_000 + np.arange(SLOTS) * _SLOT_US
    days = []
    for day in range(DAYS):
        rows = TimedLoads(
            subject=np.repeat(names, SLOTS, axis=0),
            district_id=np.repeat(number, SLOTS),
            energy_wh=(homes.kwh[:, day] * _WH).astype(np.int64).ravel(),
            observed_us=np.tile(begins, len(number)),
        )
        days.append(DistrictLoad().bound(rows, plan, today, number)["energy_wh"])
    return np.concatenate(days, axis=1)


def _bounded_days(plan: Plan, homes: Households) -> Integers:
    """The same of whole days, (homes, 7)."""
    number = np.arange(len(homes.kwh))
    names = people.pseudonyms(np.random.default_rng(0), len(number))
    days = []
    for day in range(DAYS):
        used = (homes.kwh[:, day].sum(axis=1) * _WH).astype(np.int64)
        rows = Loads(subject=names, district_id=number, energy_wh=used)
        days.append(DistrictEnergyOfDay().bound(rows, plan, people.the_day(), number)["energy_wh"])
    return np.stack(days, axis=1)


def _line(ground: Ground, what: str, gained: Floats) -> Line:
    value, low, high = mean_interval(gained)
    return Line(
        what=what,
        value=value,
        low=low,
        high=high,
        limit=_LIMIT,
        judged=low if ground.short else value,
    )
