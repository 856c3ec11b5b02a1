"""The network model: what a neighbour tells, and that a bad one is as good as none; the usual day against a slow twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.calendar import Calendar
from models.network import Network
from models.panel import Panel, Values
from models.usual_day import UsualDay
from services.forecasting.series import learn

STEPS = 12
DAYS = 6
DELAY = 4  # steps from one sensor to the next


def road(sensors: int = 5) -> Panel:
    """A road on which disturbances travel from each sensor to the next in twenty minutes."""
    rng = np.random.default_rng(5)
    length = DAYS * 288
    first = np.zeros(length + sensors * DELAY)
    for t in range(1, len(first)):
        first[t] = 0.9 * first[t - 1] + rng.normal(0, 3)
    usual = 60 - 15 * np.exp(-(((np.arange(length) % 288 - 100) / 20) ** 2))
    travelled = np.stack([first[(sensors - k) * DELAY :][:length] for k in range(sensors)])
    values = usual + travelled + rng.normal(0, 0.5, travelled.shape)
    return Panel(names=tuple(f"s{k}" for k in range(sensors)), values=values, start_us=0, step_seconds=300)


def errors(model: Network, panel: Panel) -> Values:
    """Mean absolute error of each sensor at each lead over the last day, fitted to the days before."""
    begin = (DAYS - 1) * 288
    fitted = model.fit(panel.cut(begin), STEPS)
    origins = range(begin, panel.length - STEPS, 7)
    return np.mean(
        [np.abs(fitted.forecast(panel.cut(o), STEPS) - panel.values[:, o : o + STEPS]) for o in origins], axis=0
    )


def test_what_comes_down_the_road_is_seen_coming() -> None:
    panel = road()
    alone, together = errors(Network(neighbours=0), panel), errors(Network(), panel)
    assert together[1:, DELAY - 1].mean() < 0.75 * alone[1:, DELAY - 1].mean()
    assert together[0] == pytest.approx(alone[0], rel=0.15)  # nobody is upstream of the first


def test_a_road_graph_says_who_can_be_a_neighbour() -> None:
    near = tuple((k - 1,) if k else () for k in range(5))
    neighbours = Network(near=near).fit(road(), STEPS).neighbours
    assert neighbours.alike[0].tolist() == [0.0] * 4
    assert neighbours.which[1:, 0].tolist() == [0, 1, 2, 3]
    assert (neighbours.alike[1:, 1:] == 0).all()
    assert errors(Network(near=near), road())[3, DELAY - 1] < 0.75 * errors(Network(neighbours=0), road())[3, DELAY - 1]


def test_in_service_it_is_chosen_for_the_next_hour_where_it_wins_and_not_offered_elsewhere() -> None:
    panel = road()
    on_roads = learn(panel, STEPS, on_roads=True)
    names = [on_roads.candidates[k].name for k in on_roads.chosen[:, 0]]
    assert names.count("network") >= 4
    assert "network" not in {one.name for one in learn(panel, STEPS).candidates}
    assert "network" not in {one.name for one in learn(panel, STEPS, plainly=True, on_roads=True).candidates}
    hourly = Panel(names=panel.names, values=panel.values[:, ::12], start_us=0, step_seconds=3600)
    assert "network" not in {one.name for one in learn(hourly, STEPS, on_roads=True).candidates}


def missing(row: Values) -> Values:
    return np.full_like(row, np.nan)


BROKEN: dict[str, Callable[[Values], Values]] = {
    "huge": lambda row: np.full_like(row, 1e11),
    "far": lambda row: row + 5_000,
    "negative": lambda row: row - 5_000,
    "stuck": lambda row: np.full_like(row, row[0]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_beside_a_bad_neighbour_a_forecast_is_as_beside_an_absent_one(how: str) -> None:
    panel = road()
    fitted = Network().fit(panel, STEPS)
    assert (fitted.neighbours.alike[2] > 0).any()

    def forecast(broken: Callable[[Values], Values]) -> Values:
        values = panel.values.copy()
        values[1, -30:] = broken(values[1, -30:])
        return fitted.forecast(replace(panel, values=values), STEPS)[[0, 2, 3, 4]]

    absent = forecast(missing)
    if how == "stuck":  # it is not believed from the sixth equal value on
        assert forecast(BROKEN[how]) == pytest.approx(absent, abs=1e-9)
    else:
        assert np.array_equal(forecast(BROKEN[how]), absent)
    own = Network(neighbours=0).fit(panel, STEPS).forecast(panel, STEPS)[[0, 2, 3, 4]]
    assert np.abs(absent - own).mean() < 2 * np.abs(panel.values).mean() * 0.05


@pytest.mark.parametrize(
    "broken",
    [
        lambda row: np.full_like(row, 3.0),
        lambda row: np.where(np.arange(len(row)) == 50, 1e12, 1.0),
        lambda row: np.where(np.random.default_rng(1).random(len(row)) < 0.6, np.nan, row),
        lambda row: np.random.default_rng(2).normal(size=len(row)),
    ],
    ids=["constant", "spike", "mostly missing", "noise"],
)
def test_a_sensor_that_was_bad_in_training_is_nobodys_neighbour(broken: Callable[[Values], Values]) -> None:
    panel = road()
    values = panel.values.copy()
    values[1] = broken(values[1])
    beside = replace(panel, values=values)
    values = panel.values.copy()
    values[1] = np.nan
    absent = replace(panel, values=values)
    rows = [0, 2, 3, 4]
    fitted = Network().fit(beside, STEPS)
    assert fitted.forecast(beside, STEPS)[rows] == pytest.approx(
        Network().fit(absent, STEPS).forecast(absent, STEPS)[rows], rel=1e-9
    )


def test_a_usual_day_equals_its_slow_twin_and_leaves_the_day_itself_out() -> None:
    rng = np.random.default_rng(4)
    panel = Panel(
        names=("a",), values=rng.normal(size=(1, 12 * 10)), start_us=0, step_seconds=7200, calendar=Calendar()
    )  # 1970-01-01 was a Thursday: two Thursdays, one Wednesday, and nothing to smooth at a step of two hours
    usual, others = UsualDay.learn(panel, panel.values)
    days = panel.values.reshape(10, 12)
    mean = days.mean()
    weekend = [2, 3, 9]

    def twin(kept: list[int], alike: list[int], same: list[int]) -> Values:
        found = np.zeros(12)
        for chosen, weight in (
            (kept, 0.05),
            ([k for k in alike if k in kept], 0.5),
            ([k for k in same if k in kept], 2),
        ):
            found = ((days[chosen] - mean).sum(axis=0) + weight * found) / (len(chosen) + weight)
        return found + mean

    working = [k for k in range(10) if k not in weekend]
    assert usual.by_type[0, 3] == pytest.approx(twin(list(range(10)), working, [0, 7]))
    assert usual.by_type[0, 6] == pytest.approx(twin(list(range(10)), weekend, [3]))
    assert others[0, :12] == pytest.approx(twin(list(range(1, 10)), working, [0, 7]))
    changed = days.copy()
    changed[0] += 1.0
    other = replace(panel, values=changed.reshape(1, -1))
    shift = UsualDay.learn(other, other.values)[1] - others
    assert np.abs(shift[0, :12]).max() < 0.05  # only through the sensor's mean
    assert shift[0, 7 * 12 : 8 * 12].min() > 0.3
    assert usual.at(panel, 120, 12)[0] == pytest.approx(usual.by_type[0, 6])
