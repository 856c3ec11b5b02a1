"""Fitted models kept as bytes come back as they were; anything else is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.calendar import Calendar
from models.panel import Panel
from models.profile_ridge import ProfileRidge
from models.selection import select
from services.forecasting.freezing import StaleStateError, freeze, thaw
from services.forecasting.series import learn


def small_panel(sensors: int = 3, step_seconds: int = 3600) -> Panel:
    rng = np.random.default_rng(3)
    hours = np.arange(0, 21 * 24, step_seconds / 3600)
    values = 100 + 50 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 5, (sensors, len(hours)))
    values[1, 30:60] = np.nan
    names = tuple(str(k) for k in range(sensors))
    return Panel(names=names, values=values, start_us=0, step_seconds=step_seconds, calendar=Calendar(country="DE"))


@pytest.mark.parametrize("step_seconds", [3600, 900])
def test_what_was_learnt_forecasts_the_same_after_being_kept(step_seconds: int) -> None:
    panel = small_panel(16, step_seconds)
    selected = learn(panel, 24)

    again = thaw(freeze({"selected": selected, "names": panel.names}))

    assert again["names"] == panel.names
    before, after = selected.intervals(panel, 24), again["selected"].intervals(panel, 24)
    assert after.models == before.models
    np.testing.assert_array_equal(after.quantiles, before.quantiles)


def test_plain_values_keep_their_types() -> None:
    value = (None, True, 3, 2.5, float("inf"), "ö", range(1, 9, 2), [1, (2,)], {("a", 1): {"b": None}})

    again = thaw(freeze(value))

    assert again == value
    assert [type(one) for one in again] == [type(one) for one in value]


def test_arrays_keep_their_types() -> None:
    value = [np.array(some) for some in ([True, False], [1, 2], [1.5], [[np.nan]])]

    for before, again in zip(value, thaw(freeze(value)), strict=True):
        assert again.dtype == before.dtype
        np.testing.assert_array_equal(again, before)


def test_what_is_kept_takes_little_and_forecasts_nearly_the_same() -> None:
    panel = small_panel()
    whole = select(panel, 24, (ProfileRidge(),))

    kept = freeze(whole.light())

    assert len(kept) < 0.6 * len(freeze(whole))
    before, after = whole.intervals(panel, 24), thaw(kept).intervals(panel, 24)
    wide = before.quantiles[-1] - before.quantiles[0]
    assert (np.abs(after.quantiles - before.quantiles) < 0.001 * wide).all()


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.array(["text"]), np.array([object()])])
def test_what_cannot_be_kept_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be kept"):
        freeze(value)


@pytest.mark.parametrize(
    "tree",
    [
        {"of": ["subprocess", "Popen"], "fields": {"args": {"plain": "true"}}},
        {"of": ["models.panel", "no_such"], "fields": {}},
        {"of": ["models.panel", "np"], "fields": {}},
        {"of": ["models.calendar", "Calendar"], "fields": {"zone": {"plain": "UTC"}}},
        {"array": 0},
        {"unknown": 1},
        {},
    ],
)
def test_bytes_name_nothing_but_dataclasses_of_the_models(tree: object) -> None:
    head = json.dumps([tree, []]).encode()
    with pytest.raises(StaleStateError):
        thaw(b"ARTERIA1" + len(head).to_bytes(8, "little") + head)


def test_damaged_bytes_are_noticed() -> None:
    whole = freeze({"a": np.arange(100.0)})
    for damaged in (b"", whole[:10], whole[: len(whole) // 2], b"X" + whole[1:]):
        with pytest.raises(StaleStateError):
            thaw(damaged)
