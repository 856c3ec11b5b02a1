"""Plans that would not protect as they say are refused with the reason."""

from __future__ import annotations

from importlib.resources import files

import pytest

from services.errors import InputError, NotFoundError
from services.privacy.plan import Plan, day_cap, load_plan, load_plans, parse
from services.privacy.policy import PRODUCTS, check
from services.settings import Settings, load_settings

SETTINGS = load_settings()


def text_of(name: str) -> str:
    return (files("services.privacy") / "plans" / f"{name}.toml").read_text(encoding="utf-8")


def changed(name: str, old: str, new: str) -> Plan:
    text = text_of(name)
    assert old in text
    return parse(text.replace(old, new), f"{name}.toml")


def test_the_plans_of_this_version_pass() -> None:
    plans = load_plans()
    check(plans, SETTINGS)
    assert {plan.name for plan in plans} == set(PRODUCTS)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("presence", "epsilon_share = 0.95", "epsilon_share = 1.1", "ask for 1.15 times the day's budget"),
        ("presence", "epsilon_share = 0.95", "epsilon_share = 0", "epsilon_share 0 must be a number above 0"),
        ("presence", "epsilon_share = 0.95", "epsilon_share = -0.5", "epsilon_share -0.5 must be"),
        ("presence", "epsilon_share = 0.95", "epsilon_share = inf", "must be a number above 0"),
        ("presence", "epsilon_share = 0.95", "epsilon_share = nan", "must be a number above 0"),
        ("presence", "epsilon_share = 0.95", "epsilon_share = 1e-9", "less than a millionth"),
        ("presence", "step_minutes = 60", "step_minutes = 15", "overlap"),
        ("presence", "step_minutes = 60", "step_minutes = 90", "slot_minutes and step_minutes of this product are 60"),
        ("presence", "slot_minutes = 60", "slot_minutes = 30", "slot_minutes and step_minutes of this product are 60"),
        ("presence", "h3-r8", "postcodes", "unknown zones 'postcodes'"),
        ("presence", 'name = "presence"', 'name = "trips"', "no product of this name"),
        ("presence", 'domain = "mobility"', 'domain = "bikes"', "unknown domain 'bikes'"),
        ("presence", '"discrete_laplace"', '"gaussian"', "unknown mechanism 'gaussian'"),
        ("presence", "cells_per_subject = 8", "cells_per_subject = 0", "cells_per_subject 0 must lie in 1 to 64"),
        ("presence", "per_cell = 1 ", "per_cell = 2 ", "a subject counts once"),
        ("presence", "minimum = 10", "minimum = 3", "threshold minimum 3"),
        ("presence", "false_presence = 0.001", "false_presence = 0.5", "false_presence 0.5"),
        ("presence", "rounding = 5", "rounding = 0", "rounding 0"),
        ("presence", "raw_hours = 48", "raw_hours = 24", "the plan promises at most 24 h"),
        ("district_energy", "per_cell = 30000", "per_cell = 0", "without a bound the sensitivity is not known"),
        (
            "district_energy",
            "cells_per_subject = 1 ",
            "cells_per_subject = 2 ",
            "cells_per_subject 2 must lie in 1 to 1",
        ),
        ("district_energy", 'measure = "households"', 'measure = "energy_wh"', "the noisy households must decide"),
        ("district_energy", "epsilon_share = 0.7", "epsilon_share = 0.70001", "ask for 1.00001 times"),
        ("district_energy", 'name = "energy_wh"', 'name = "power"', "its measures are households, energy_wh"),
    ],
)
def test_wrong_plans_are_refused_with_the_reason(name: str, old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError, match=r"release plans refused: .*") as refusal:
        check([changed(name, old, new)], SETTINGS)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[threshold]", "[threshhold]", "unknown field `threshhold`"),
        ("rounding = 5", "", "missing required field `rounding`"),
        ("minimum = 10", 'minimum = "many"', "Expected `int`"),
        ("minimum = 10", "minimum =", "not valid TOML"),
        ("slot_minutes = 60", "slot_minutes = 60\nnight = true", "unknown field `night`"),
    ],
)
def test_files_that_are_no_plan_are_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError) as refusal:
        changed("presence", old, new)
    assert reason in str(refusal.value)
    assert "presence.toml" in str(refusal.value)


def test_two_plans_of_one_domain_share_its_budget() -> None:
    plan = load_plan("presence")
    with pytest.raises(InputError, match=r"2 plans of this name.*ask for 2.00 times"):
        check([plan, plan], SETTINGS)


def test_an_unknown_plan_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="only district_energy, presence"):
        load_plan("precence")


def test_the_hash_covers_values_and_not_comments() -> None:
    plan = load_plan("presence")
    assert parse("# A remark.\n" + text_of("presence"), "presence.toml").hash == plan.hash
    assert changed("presence", "minimum = 10", "minimum = 11").hash != plan.hash
    assert changed("presence", "Show where", "Track who").hash != plan.hash  # the purpose is part of the promise


@pytest.mark.parametrize(
    ("epsilon_day", "price", "parts"),
    [
        (1.0, 1_000_000, {"households": 300_000, "energy_wh": 700_000}),
        (0.333333, 333_333, {"households": 99_999, "energy_wh": 233_333}),  # 0.3 and 0.7 of it, rounded down
        (2.64, 2_640_000, {"households": 792_000, "energy_wh": 1_848_000}),
    ],
)
def test_parts_never_cost_more_than_was_paid(epsilon_day: float, price: int, parts: dict[str, int]) -> None:
    plan = load_plan("district_energy")
    cap = day_cap(Settings(privacy_epsilon_day=epsilon_day))
    assert plan.price(cap) == price
    assert plan.parts(price) == parts
    assert sum(parts.values()) <= price
