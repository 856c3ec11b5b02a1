"""What releases of presence keep is measured on generated people; this runs the measurement on a small city."""

from __future__ import annotations

import numpy as np

from services.privacy.attacks import people, utility
from services.privacy.plan import load_plan


def test_more_epsilon_keeps_more_and_errs_less() -> None:
    found = utility.measure(load_plan("presence"), releases=1, many=6_000, cells=61, earlier_days=(0,))
    assert [each.epsilon for each in found] == [0.5, 1.0, 2.0]
    kept = [each.kept for each in found]
    assert kept == sorted(kept)
    assert kept[1] > 0.45  # measured: 0.55
    assert found[1].weighted_error < 0.1  # measured: 0.07
    assert all(each.covered > 0.95 for each in found)
    assert all(each.false_presence <= 2 for each in found)


def hours_of(town: people.Town, sent: people.Reports) -> people.Integers:
    """In how many cell-hours each person was seen."""
    visits = {(p, c, h) for p, c, h in zip(sent.person, town.parent[sent.place], sent.second // 3_600, strict=True)}
    return np.bincount([person for person, _, _ in visits])


def test_generated_people_are_what_the_description_says() -> None:
    rng = np.random.default_rng(3)
    town = people.build_town(1, 91)
    inhabitants = people.settle(town, rng, 4_000, couriers=10)
    trips = people.drive(inhabitants, rng)
    sent = people.reports(inhabitants, trips)
    assert 0.91 < len(np.unique(sent.person)) / 4_000 < 0.95
    assert (trips.departs_s + trips.seconds < 86_400).all()
    first = np.unique(sent.person, return_index=True)[1]
    assert (sent.place[first] == inhabitants.home[np.unique(sent.person)]).mean() > 0.99
    hours = people.true_counts(town, sent)
    assert hours.shape == (91, 24)
    assert hours.sum() == hours_of(town, sent).sum()
    seen = hours_of(town, sent)
    assert min(seen[-10:]) > 2 * np.mean(seen[:-10])  # couriers
