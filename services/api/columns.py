"""Code concerned with the columns of every answer and export: type, unit and meaning, once for all formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.domain import QUANTILE_LEVELS

Type = Literal["text", "time", "date", "number", "whole", "truth"]


QUANTILES: Final = tuple(f"q{round(level * 100):02d}" for level in QUANTILE_LEVELS)
"""The columns of the quantiles, from the lowest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What the values of one column are; `unit` as in UCUM where it has one."""

    type: Type
    meaning: str
    unit: str | None = None


def _text(meaning: str) -> Column:
    return Column(type="text", meaning=meaning)


def _time(meaning: str) -> Column:
    return Column(type="time", meaning=meaning)


def _number(meaning: str, unit: str | None = None) -> Column:
    return Column(type="number", meaning=meaning, unit=unit)


def _whole(meaning: str, unit: str | None = None) -> Column:
    return Column(type="whole", meaning=meaning, unit=unit)


def _truth(meaning: str) -> Column:
    return Column(type="truth", meaning=meaning)


COLUMNS: Final[dict[str, Column]] = {
    "sensor": _text("The sensor's code."),
    "kind": _text("What the sensor observes: traffic, energy or environment."),
    "name": _text("What the device calls itself."),
    "lon": _number("Longitude, WGS 84.", "deg"),
    "lat": _number("Latitude, WGS 84.", "deg"),
    "unit": _text("The unit the device says it measures in."),
    "district": _text("Code of the district."),
    "road": _text("The road the sensor stands at."),
    "free_flow_kmh": _number("Speed of the empty road.", "km/h"),
    "capacity_vph": _number("Most vehicles the road can carry.", "veh/h"),
    "limit_kw": _number("Most power the feeder can carry; beside `limit_is`, the limit that a chance is about.", "kW"),
    "step_seconds": _whole("Usual time between two readings.", "s"),
    "described": _truth("Whether the sensor's meta message has arrived."),
    "online": _truth("What the device's last status message said."),
    "status_at": _time("When that status was received."),
    "registered_at": _time("When the platform first heard of the sensor."),
    "latest_observed_at": _time("Start of the newest observation."),
    "age_seconds": _number("Time since the newest observation began.", "s"),
    "silence_limit_seconds": _whole("The sensor counts as silent when its newest observation is older.", "s"),
    "silent": _truth("Whether the newest observation is older than the silence limit."),
    "diagnosis": _text(
        "What is wrong: no_data, insufficient_data, card_off, high_value, intermittent, constant, clock_skew, or ok."
    ),
    "since": _time("Since when it has been judged the same."),
    "judged_at": _time("Up to when readings were looked at."),
    "detail": _text("The figures behind the diagnosis."),
    "heard_at": _time("When the newest reading was received."),
    "expected_at": _time("When the next reading is due, one step later."),
    "missing_since": _time(
        "When a reading was due that had not come when the sensor was judged; null: none is missing."
    ),
    "skipped": _whole("Sequence numbers missing among the readings of the last hours."),
    "delay_s": _number("Least time from a stamp to its receipt; below zero the sensor's clock is ahead.", "s"),
    "observed_at": _time("Start of the measuring interval or of the roll-up, UTC."),
    "received_at": _time("When the platform received the reading, UTC."),
    "flow_vph": _number("Traffic flow.", "veh/h"),
    "speed_kmh": _number("Mean speed; in roll-ups weighted by flow.", "km/h"),
    "occupancy": _number("Share of time the detector was occupied, 0 to 1.", "1"),
    "power_kw": _number("Mean power of the interval.", "kW"),
    "peak_kw": _number("Highest power of the roll-up.", "kW"),
    "energy_kwh": _number("Meter register at the end of the interval, or the energy of a released day.", "kW.h"),
    "quantity": _text("What was measured, with its unit as suffix."),
    "value": _number("The value of that quantity."),
    "lowest": _number("Lowest value of the roll-up."),
    "highest": _number("Highest value of the roll-up."),
    "quality": _whole("1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing."),
    "rows": _whole("Readings in the roll-up."),
    "good": _whole("Readings of the roll-up that are not bad."),
    "feeders": _whole("Feeders that the power is the sum of."),
    "scope": _text("What the row is about: city, district or sensor."),
    "summed_kw": _number("Sum of the medians of the feeders as published.", "kW"),
    "limit_is": _text(
        "allowed: what the feeder may carry; highest_of_28_days: what the sum drew at most in four weeks."
    ),
    "chance_above": _number("Chance that the day's highest quarter hour lies above the limit.", "1"),
    "likely_at": _time("The likeliest quarter hour of the peak, UTC; null: the highest so far is likelier to stay it."),
    "so_far_kw": _number("Highest quarter hour of the day observed when it was issued.", "kW"),
    "issued_at": _time("When the forecast was issued; only what had been received by then was used."),
    "model": _text("The model that made the forecast; of a blend all its models, joined by +."),
    "state": _text("normal, degraded (simpler model or patched input) or stale (no current data)."),
    "reason": _text("Why the state is not normal, or why a value is withheld."),
    "target_at": _time("Start of the step the forecast is about, UTC."),
    **{
        quantile: _number(f"Quantile {level:g}; the unit is that of the quantity.")
        for quantile, level in zip(QUANTILES, QUANTILE_LEVELS, strict=True)
    },
    "congestion": _text("The likeliest class: congested, slow, dense or free."),
    **{
        f"{name}_{what}": _number(f"{words} that {meaning}.", "1")
        for what, words in (("chance", "Chance"), ("share", "Share of the vehicles expected so"))
        for name, meaning in (
            ("congested", "speed is below half of free flow"),
            ("slow", "speed is 50 to 65 % of free flow"),
            ("dense", "speed is 65 to 85 % of free flow"),
            ("free", "speed is at least 85 % of free flow, or only few vehicles pass at a quiet hour"),
        )
    },
    "free_flow_estimated": _truth(
        "Whether the free-flow speed is estimated from the history; else the device told it."
    ),
    "saturation": _number("Median flow over the capacity, told or shown.", "1"),
    "speed_ratio": _number("Travel time at free flow over travel time as driven, over all vehicles.", "1"),
    "travel_time_index": _number("Travel time as driven over travel time at free flow, over all vehicles.", "1"),
    **{
        f"{name}_{quantile}": _number(f"Quantile {level:g} of {meaning}.", "1")
        for name, meaning in (
            ("speed_ratio", "speed over free-flow speed"),
            ("travel_time_index", "travel time over that at free flow, at most 100"),
        )
        for quantile, level in zip(QUANTILES, QUANTILE_LEVELS, strict=True)
    },
    "lead_minutes": _whole("From the issue to the end of the target.", "min"),
    "sensors": _whole("Sensors counted."),
    "n": _whole("Pairs of forecast and observation."),
    "mae": _number("Mean absolute error of the median, in the quantity's unit."),
    "naive_mae": _number("Mean absolute error of the value one week before."),
    "wape": _number("Sum of absolute errors over the sum of what was observed.", "1"),
    "skill": _number(
        "One minus the sum of errors over that of the value a week before, where there is one; below 0 the forecast lost.",
        "1",
    ),
    "mase": _number("Mean absolute error over the sensor's mean difference from a week before while learning.", "1"),
    "pinball": _number("Mean pinball loss over all quantiles; a forecast without spread has half its absolute error."),
    "coverage_50": _number("Share of observations inside the 50 % interval.", "1"),
    "observed_quality": _text("good: no reading of the target was bad; else questionable."),
    "utc_day": Column(type="date", meaning="UTC day of the target."),
    "coverage_80": _number("Share of observations inside the 80 % interval.", "1"),
    "coverage_90": _number("Share of observations inside the 90 % interval.", "1"),
    "cell": _text("H3 index of the cell, resolution 8."),
    "hour": _time("Start of the hour, UTC."),
    "vehicles": _whole("Distinct vehicles, noisy and rounded; missing where withheld."),
    "households": _whole("Households counted, noisy."),
    "ci95_kwh": _number("Half-width of the 95 % interval of the energy.", "kW.h"),
    "suppressed": _truth("Whether the value is withheld."),
    "day": Column(type="date", meaning="Local day of the city."),
    "release_key": _text("The release that published the value."),
    "plan": _text("The release plan."),
    "plan_version": _text("The version of the plan."),
    "plan_hash": _text("SHA-256 of the plan."),
    "epsilon": _number("Privacy loss that the release was charged for each subject's day."),
    "delta": _number("Probability with which that bound may fail."),
    "threshold": _whole("Counts below are withheld."),
    "ci95": _number("Half-width of the 95 % interval of a published count."),
    "rounding": _whole("Published numbers are multiples of this, where they are counts."),
    "mechanism": _text("What kind of noise was added, that of the deciding count first."),
    "noise_scale": _number("Scale of that count's noise: b of Laplace noise."),
    "factor": _number(
        "Correction for cells of a subject that were left out by its bound; in the numbers already.", "1"
    ),
    "cells": _whole("How many places and slots the release decides about."),
    "withheld": _whole("How many of them are withheld."),
    "place": _text("H3 cell, code of a district or station, or city."),
    "part": _text("What divides the place further: the cell trips go to, a band of lengths; null where nothing does."),
    "slot": _time("Start of the slot, UTC; of daily numbers, of the local day."),
    "measure": _text("What was counted or measured, with its unit as suffix where it has one."),
    "released_at": _time("The hour in which it was published, UTC: finer times would tell how long it took."),
    "domain": _text("Whose budget: mobility or household."),
    "charged_at": _time("The hour in which the ledger was charged, before any noise was drawn."),
    "cap": _number("The day's budget, as epsilon."),
    "days": _whole("How many local days together."),
    "last_day": Column(type="date", meaning="The newest local day that counts."),
    "days_ahead": _whole("From the newest released day to the day of the target, 1 or 2.", "d"),
    "epsilon_sum": _number("What they cost a subject that was there on all of them, by sum."),
    "epsilon_distribution": _number(
        "The same at delta = 1e-6, by the distribution of privacy loss of the noise itself."
    ),
    "agree": _truth("Whether the two accounts agree."),
    "checked_at": _time("When they were compared."),
    "spent": _number("What is spent of it, as epsilon."),
    "id": _whole("Number of the dead letter."),
    "topic": _text("The MQTT topic."),
    "payload_bytes": _whole("Length of the message.", "By"),
}


def units_of(names: Sequence[str]) -> dict[str, str]:
    """Unit by name of those columns that have one."""
    return {name: unit for name in names if (unit := COLUMNS[name].unit) is not None}
