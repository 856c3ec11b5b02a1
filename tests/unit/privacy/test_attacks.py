"""The attacks on our own releases: they work on unprotected data, fail on releases, and find what somebody breaks.

The short version runs as `arterial privacy attack --short` does, without the attacks that ask a running platform
(`tests/integration/privacy/test_attacked_platform.py`). Then each mechanism is broken once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.privacy import bounding, drawing
from services.privacy.attacks import appliances, linkage, noise_quality, suite
from services.privacy.attacks.ground import Ground
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian
from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace

ON_NUMBERS = [attack.name for attack in suite.named([]) if attack.name not in suite.ON_A_PLATFORM]


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground(short=True)


def result(name: str, ground: Ground) -> dict[str, Any]:
    (document,) = suite.run(ground, suite.named([name]), lambda _: None)["attacks"]
    return dict(document)


@pytest.mark.parametrize("name", ON_NUMBERS)
def test_attacks_work_on_unprotected_data_and_fail_on_releases(name: str, ground: Ground) -> None:
    document = result(name, ground)
    assert document["control_passed"], document["explanation"]
    assert document["passed"], document
    assert {"name", "control", "control_passed", "advantage", "limit", "epsilon_hat", "passed"} <= set(document)


def test_no_noise_at_all_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for mechanism in (DiscreteLaplace, DiscreteGaussian):
        monkeypatch.setattr(mechanism, "release", lambda _self, exact: exact.copy())
    document = result("membership-likelihood", Ground(short=True))
    assert document["control_passed"]
    assert not document["passed"]
    assert document["epsilon_hat"] > 3
    assert not result("noise-quality", Ground(short=True))["passed"]


def test_noise_for_a_fifth_of_the_sensitivity_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(honest: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, exact: honest(replace(self, sensitivity=max(1, self.sensitivity // 5)), exact)

    for mechanism in (DiscreteLaplace, DiscreteGaussian):
        monkeypatch.setattr(mechanism, "release", cheap(mechanism.release))
    document = result("membership-likelihood", Ground(short=True))
    assert not document["passed"]
    assert document["epsilon_hat"] > document["epsilon_claimed"]


def test_one_subject_counted_everywhere_is_found(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    bounded = bounding.presence
    monkeypatch.setattr(
        bounding, "presence", lambda *rows, **plan: bounded(*rows, **{**plan, "cells_per_subject": 10**9})
    )
    document = result("membership-reference-group", ground)
    assert not document["passed"]
    (changed,) = [line for line in document["lines"] if "everywhere" in line["what"]]
    assert changed["value"] > 2_000


def test_a_threshold_on_exact_counts_is_found(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    honest = drawing.draw

    def leaky(plan: Any, product: Any, micro_epsilon: int, exact: dict[str, Any]) -> drawing.Drawn:
        drawn = honest(plan, product, micro_epsilon, exact)
        return replace(drawn, shown=exact[plan.threshold.measure] >= drawn.threshold)

    monkeypatch.setattr(drawing, "draw", leaky)
    assert not result("sybil-isolation", ground)["passed"]


def test_noise_from_a_seed_is_found_in_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert noise_quality._random_imports() == []
    (tmp_path / "seeded.py").write_text("import numpy as np\n\ndraw = np.random.default_rng(1).normal\n")
    monkeypatch.setattr(noise_quality, "release_code", lambda: [tmp_path / "seeded.py"])
    assert noise_quality._random_imports() == ["seeded.py"]


def test_forecasts_of_exact_counts_are_found(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    monkeypatch.setattr(DiscreteGaussian, "release", lambda _self, exact: exact.copy())
    assert not result("membership-forecaster", ground)["passed"]


def test_missing_noise_is_heard_in_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    for mechanism in (DiscreteLaplace, DiscreteGaussian):
        monkeypatch.setattr(mechanism, "release", lambda _self, exact: exact.copy())
    document = result("appliance-events", Ground(short=True))
    assert document["control_passed"]
    half_hours, days = (line for line in document["lines"] if "knows all other" in line["what"])
    assert not half_hours["passed"]
    assert not document["passed"]
    assert days["value"] > days["limit"]


def test_appliances_switch_as_often_on_as_off_and_draw_what_they_are_said_to() -> None:
    idle = np.zeros((50, 7, 48))
    homes = appliances.equip(np.random.default_rng(1), idle)
    switched = appliances.events(homes.running)
    on, off = np.split(switched.sum(axis=2), 2, axis=1)
    begun, running_last = homes.running[:, :, 0], homes.running[:, :, -1]
    assert np.array_equal(on + begun, off + running_last)
    assert homes.equipped.size
    assert homes.kwh.sum() == pytest.approx((homes.running.sum(axis=2) * homes.kw / 2).sum())


def test_a_control_that_does_not_work_fails_the_attack(monkeypatch: pytest.MonkeyPatch, ground: Ground) -> None:
    monkeypatch.setattr(linkage, "_histograms", lambda _day, picked, places: np.ones((len(picked), places)))
    document = result("day-to-day-linkage", ground)
    assert not document["control_passed"]
    assert not document["passed"]
