"""Code concerned with release plans: what is published about a day, and what it costs, fixed before anyone looks.

A plan is a TOML file in `plans/`, read by people and checked by `services.privacy.policy`. Its hash covers the values, not the comments.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import date
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from fractions import Fraction
from importlib.resources import files
from typing import Final

import msgspec

from services.errors import ConfigurationError, InputError, NotFoundError
from services.settings import Settings
from services.storage.ledger import MICRO

_FINEST_SHARE: Final = Decimal("1e-9")


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public cells and time slots that every value belongs to."""

    partition: str
    slot_minutes: int
    step_minutes: int


class Measure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One vector of numbers over the grid: how much one subject can change it, and what hides that.

    `norm_per_subject` bounds the L2 norm of one subject's whole vector and belongs to Gaussian noise, as does `delta`, the
    probability with which its ε may fail. `stated_sensitivity` is for readers of the file and must be what the bounds give.
    `signed` numbers may be below zero; others are published as at least zero.
    """

    name: str
    cells_per_subject: int
    per_cell: int
    mechanism: str
    epsilon_share: Decimal
    rounding: int
    norm_per_subject: int | None = None
    delta: Decimal = Decimal(0)
    stated_sensitivity: int | None = None
    signed: bool = False

    @property
    def sensitivity(self) -> int:
        """The most that one subject-day changes the vector: as L2 distance where that is bounded, else as L1: L0 x Linf."""
        return self.cells_per_subject * self.per_cell if self.norm_per_subject is None else self.norm_per_subject


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which noisy value decides what is shown, and how high it has to be."""

    measure: str
    minimum: int
    false_presence: float


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One release plan, as its file says it.

    What was drawn is kept for `earlier_days`, and smooths releases of days like it; 0 keeps nothing.
    """

    name: str
    version: str
    domain: str
    purpose: str
    subject: str
    raw_hours: int
    grid: Grid
    measure: tuple[Measure, ...]
    threshold: Threshold
    earlier_days: int = 0

    @property
    def hash(self) -> str:
        """SHA-256 of the plan's values in canonical JSON, 64 hexadecimal digits."""
        values = msgspec.to_builtins(self)
        return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def epsilon_share(self) -> Decimal:
        """The part of a day's budget that this plan spends."""
        return sum((measure.epsilon_share for measure in self.measure), Decimal(0))

    @property
    def delta(self) -> Decimal:
        """The probability with which the plan's ε may fail."""
        return sum((measure.delta for measure in self.measure), Decimal(0))

    @property
    def mechanism(self) -> str:
        """The names of its mechanisms, that of the deciding count first."""
        return " and ".join(dict.fromkeys(measure.mechanism for measure in self.measure))

    def at_share(self, share: Decimal) -> Plan:
        """The plan with another part of the day's budget, divided among its measures as before; its version says so."""
        whole = self.epsilon_share
        measures = tuple(
            msgspec.structs.replace(
                each, epsilon_share=(each.epsilon_share * share / whole).quantize(_FINEST_SHARE, ROUND_DOWN).normalize()
            )
            for each in self.measure
        )
        return msgspec.structs.replace(self, version=f"{self.version}@{share.normalize():f}", measure=measures)

    def release_key(self, day: date) -> str:
        """What identifies the release of a local day: it is drawn once, and stored."""
        return f"{self.name}/{self.version}/{day.isoformat()}"

    def measure_named(self, name: str) -> Measure:
        """The measure of that name, which the policy has made sure is there."""
        return next(measure for measure in self.measure if measure.name == name)

    def price(self, cap: int) -> int:
        """What the plan costs of a day's cap, rounded down; all in micro-ε."""
        return int(self.epsilon_share * cap)

    def parts(self, paid: int) -> dict[str, int]:
        """What each measure may cost of what was paid, rounded down so that the parts never add up to more [micro-ε]."""
        whole = Fraction(self.epsilon_share)
        return {measure.name: int(Fraction(measure.epsilon_share) / whole * paid) for measure in self.measure}


def day_cap(settings: Settings) -> int:
    """The budget of one subject's local day, per domain [micro-ε]."""
    return int(Decimal(str(settings.privacy_epsilon_day)) * MICRO)


def parse(text: str, source: str) -> Plan:
    """A plan from the text of its file.

    Args:
        text: TOML.
        source: how messages name the file.

    Raises:
        InputError: it is not TOML, or a value is missing, unknown or of the wrong type.

    """
    try:
        return msgspec.convert(tomllib.loads(text, parse_float=Decimal), Plan, strict=False)
    except tomllib.TOMLDecodeError as error:
        message = f"release plan {source} is not valid TOML: {error}"
        raise InputError(message) from error
    except msgspec.ValidationError as error:
        message = f"release plan {source} cannot be used: {error}"
        raise InputError(message) from error


def load_plans() -> tuple[Plan, ...]:
    """All plans of this version of Arterial, by name."""
    folder = files("services.privacy") / "plans"
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(parse(file.read_text(encoding="utf-8"), file.name) for file in found)


def load_plan(name: str) -> Plan:
    """The plan of that name.

    Raises:
        NotFoundError: there is none; the message names those there are.

    """
    plans = {plan.name: plan for plan in load_plans()}
    if name not in plans:
        message = f"there is no release plan {name!r}, only {', '.join(plans)}"
        raise NotFoundError(message)
    return plans[name]


def enabled_plans(settings: Settings) -> tuple[Plan, ...]:
    """The plans that are on, each at its own share of the day's budget or the one `ARTERIAL_PRIVACY_PLANS` gives it.

    Raises:
        ConfigurationError: an entry names no plan, one plan twice, or no share above 0; the message names it.

    """
    known = {plan.name: plan for plan in load_plans()}
    found: dict[str, Plan] = {}
    for entry in settings.privacy_plans:
        name, equals, text = entry.partition("=")
        problem = None
        if name not in known:
            problem = f"there is no plan {name!r}, only {', '.join(known)}"
        elif name in found:
            problem = f"{name} is there twice"
        elif equals:
            try:
                share = Decimal(text)
            except InvalidOperation:
                share = Decimal(0)
            if share.is_finite() and share >= _FINEST_SHARE:
                found[name] = known[name].at_share(share)
            else:
                problem = f"the share of {name} must be a number above 0, not {text!r}"
        else:
            found[name] = known[name]
        if problem is not None:
            message = f"ARTERIAL_PRIVACY_PLANS: {problem}"
            raise ConfigurationError(message)
    return tuple(found.values())


def enabled_plan(name: str, settings: Settings) -> Plan:
    """The plan of that name as it is switched on.

    Raises:
        NotFoundError: it is off, or there is none; the message names those that are on.

    """
    plans = {plan.name: plan for plan in enabled_plans(settings)}
    if name not in plans:
        known = load_plan(name)
        message = f"the release plan {known.name} is off, on are {', '.join(plans)}: add it to ARTERIAL_PRIVACY_PLANS"
        raise NotFoundError(message)
    return plans[name]
