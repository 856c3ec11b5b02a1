"""Plans that would not protect as they say are refused with the reason."""

from __future__ import annotations

from importlib.resources import files

import pytest
from msgspec.structs import replace

from services.errors import ConfigurationError, InputError, NotFoundError
from services.privacy.plan import Plan, day_cap, enabled_plan, enabled_plans, load_plan, load_plans, parse
from services.privacy.policy import PRODUCTS, check
from services.privacy.products.catalogue import CATALOGUE
from services.settings import Settings, load_settings

SETTINGS = load_settings()


def text_of(name: str) -> str:
    return (files("services.privacy") / "plans" / f"{name}.toml").read_text(encoding="utf-8")


def changed(name: str, old: str, new: str) -> Plan:
    text = text_of(name)
    assert old in text
    return parse(text.replace(old, new), f"{name}.toml")


EVERYTHING = (
    *("presence=0.4", "origin_destination", "speeds", "trip_lengths"),
    *("district_energy=0.5", "district_load", "bike_stations", "charging"),
)


def with_plans(*entries: str) -> Settings:
    return SETTINGS.model_copy(update={"privacy_plans": entries})


def test_the_plans_that_are_on_pass_alone_and_all_together() -> None:
    check(enabled_plans(SETTINGS), SETTINGS)
    plans = enabled_plans(with_plans(*EVERYTHING))
    check(plans, SETTINGS)
    assert {plan.name for plan in plans} == {plan.name for plan in load_plans()}, (
        "EVERYTHING above switches all plans on"
    )
    assert set(PRODUCTS) == set(CATALOGUE) == {plan.name for plan in load_plans()}
    for plan in load_plans():
        check([plan], SETTINGS)


def test_another_share_is_another_version() -> None:
    (plan,) = enabled_plans(with_plans("presence=0.40"))
    assert (plan.version, plan.price(1_000_000)) == ("4@0.4", 400_000)
    (load,) = enabled_plans(with_plans("district_load=0.25"))
    assert load.parts(load.price(1_000_000)) == {"households": 25_000, "energy_wh": 225_000}
    assert plan.hash != load_plan("presence").hash
    (third,) = enabled_plans(with_plans("presence=0.3333333333"))
    assert third.price(1_000_000) <= 333_333  # shares are rounded down


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (("presense",), "there is no plan 'presense', only"),
        (("presence", "presence=0.5"), "presence is there twice"),
        (("presence=0",), "the share of presence must be a number above 0, not '0'"),
        (("presence=-1",), "not '-1'"),
        (("presence=half",), "not 'half'"),
        (("presence=nan",), "not 'nan'"),
        (("presence=",), "not ''"),
    ],
)
def test_wrong_entries_are_named(entries: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ConfigurationError, match="ARTERIAL_PRIVACY_PLANS") as refusal:
        enabled_plans(with_plans(*entries))
    assert reason in str(refusal.value)


def test_a_plan_that_is_off_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="speeds is off, on are presence, district_energy, bike_stations, charging"):
        enabled_plan("speeds", SETTINGS)


def test_plans_of_one_domain_may_not_ask_for_more_than_the_day_holds() -> None:
    with pytest.raises(
        InputError, match=r"domain mobility: the plans ask for 1.2\d* times the day's budget of epsilon 1"
    ):
        check(enabled_plans(with_plans("presence", "origin_destination")), SETTINGS)


def test_plans_of_one_domain_have_one_base_partition() -> None:
    other = changed("trip_lengths", '"h3-r7" ', '"postcode" ')
    with pytest.raises(InputError, match="domain mobility: the plans use the base partitions h3 and postcode"):
        check([changed("presence", "epsilon_share = 1.0", "epsilon_share = 0.5"), other], SETTINGS)


def test_the_deltas_of_a_domain_add_up() -> None:
    plan = load_plan("district_load")
    measure = plan.measure[1]
    many = replace(
        plan,
        measure=(plan.measure[0], measure, replace(measure, name="again", epsilon_share=measure.epsilon_share / 9)),
    )
    with pytest.raises(InputError, match=r"domain household: the deltas of the plans add up to 0\.000002, more than"):
        check([many], SETTINGS)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("presence", "epsilon_share = 1.0", "epsilon_share = 1.1", "ask for 1.1 times the day's budget"),
        ("presence", "epsilon_share = 1.0", "epsilon_share = 0", "epsilon_share 0 must be a number above 0"),
        ("presence", "epsilon_share = 1.0", "epsilon_share = -0.5", "epsilon_share -0.5 must be"),
        ("presence", "epsilon_share = 1.0", "epsilon_share = inf", "must be a number above 0"),
        ("presence", "epsilon_share = 1.0", "epsilon_share = nan", "must be a number above 0"),
        ("presence", "epsilon_share = 1.0", "epsilon_share = 1e-9", "less than a millionth"),
        ("presence", "step_minutes = 60", "step_minutes = 15", "overlap"),
        ("presence", "step_minutes = 60", "step_minutes = 90", "slot_minutes and step_minutes of this product are 60"),
        ("presence", "slot_minutes = 60", "slot_minutes = 30", "slot_minutes and step_minutes of this product are 60"),
        ("presence", "h3-r8", "postcodes", "unknown zones 'postcodes'"),
        ("presence", 'name = "presence"', 'name = "trips"', "no product of this name"),
        ("presence", 'domain = "mobility"', 'domain = "bikes"', "unknown domain 'bikes'"),
        ("origin_destination", '"discrete_laplace"', '"gaussian"', "unknown mechanism 'gaussian'"),
        ("origin_destination", '"discrete_laplace"', '"discrete_gaussian"', "norm_per_subject None must be at least 1"),
        (
            "origin_destination",
            '"discrete_laplace"',
            '"discrete_gaussian"',
            "does not hide it: what is bounded here needs",
        ),
        ("district_load", '"discrete_gaussian"', '"discrete_laplace"', "does not hide it: what is bounded here needs"),
        ("presence", "norm_per_subject = 7 ", "norm_per_subject = 6 ", "49 cells of at most 1 have a norm of up to 7"),
        ("bike_stations", "cells_per_subject = 2 ", "cells_per_subject = 1 ", "cells_per_subject 1 must lie in 2 to 2"),
        ("charging", 'partition = "district"', 'partition = "h3-r8"', "unknown zones 'h3-r8'"),
        ("trip_lengths", "epsilon_share = 0.1", "epsilon_share = 0.1\ndelta = 1e-6", "belong to discrete_gaussian"),
        (
            "trip_lengths",
            "epsilon_share = 0.1",
            "epsilon_share = 0.1\nnorm_per_subject = 3",
            "belong to discrete_gaussian",
        ),
        (
            "presence",
            "epsilon_share = 1.0",
            "epsilon_share = 1.0\nstated_sensitivity = 4",
            "changes the vector by up to 7",
        ),
        ("origin_destination", "cells_per_subject = 4 ", "cells_per_subject = 6 ", "changes the vector by up to 6"),
        ("origin_destination", "slot_minutes = 1440", "slot_minutes = 2880", "overlap"),
        ("origin_destination", '"h3-r7"', '"h3-r6"', "unknown zones 'h3-r6'"),
        ("trip_lengths", "epsilon_share = 0.1", "epsilon_share = -0.1", "epsilon_share -0.1 must be"),
        ("speeds", "cells_per_subject = 4          # the", "cells_per_subject = 3          # the", "the same for all"),
        ("district_load", "delta = 1e-6", "delta = 1e-5", "delta 0.00001 must lie above 0 and up to 0.000001"),
        ("district_load", "delta = 1e-6", "", "delta 0 must lie above 0"),
        ("district_load", "norm_per_subject = 4000 ", "norm_per_subject = 0 ", "norm_per_subject 0 must be at least 1"),
        ("presence", "cells_per_subject = 49", "cells_per_subject = 0", "cells_per_subject 0 must lie in 1 to 64"),
        ("presence", "per_cell = 1 ", "per_cell = 2 ", "a subject counts once"),
        ("presence", "minimum = 10", "minimum = 3", "threshold minimum 3"),
        ("presence", "false_presence = 0.001", "false_presence = 0.5", "false_presence 0.5"),
        ("presence", "rounding = 5", "rounding = 0", "rounding 0"),
        ("presence", "earlier_days = 28", "earlier_days = -1", "earlier_days -1 must lie in 0 to 366"),
        ("presence", "earlier_days = 28", "earlier_days = 400", "earlier_days 400 must lie in 0 to 366"),
        ("trip_lengths", "raw_hours = 48", "earlier_days = 7\nraw_hours = 48", "earlier_days 7 must lie in 0 to 0"),
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
    with pytest.raises(InputError, match=r"2 plans of this name.*ask for 2.0 times"):
        check([plan, plan], SETTINGS)


def test_an_unknown_plan_is_not_found() -> None:
    with pytest.raises(
        NotFoundError,
        match="only bike_stations, charging, district_energy, district_load, origin_destination, presence",
    ):
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
