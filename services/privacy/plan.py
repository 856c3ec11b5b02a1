"""Code concerned with release plans: what is published about a day, and what it costs, fixed before anyone looks.

A plan is a TOML file in `plans/`, read by people and checked by `services.privacy.policy`. Its hash covers the values, not the comments.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

import msgspec

from services.errors import InputError, NotFoundError
from services.settings import Settings
from services.storage.ledger import MICRO


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public cells and time slots that every value belongs to."""

    partition: str
    slot_minutes: int
    step_minutes: int


class Measure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vector of numbers over the grid: how much one subject can change it, and what hides that."""

    name: str
    cells_per_subject: int
    per_cell: int
    mechanism: str
    epsilon_share: Decimal
    rounding: int

    @property
    def sensitivity(self) -> int:
        """The most that one subject-day changes the vector, as L1 distance: L0 x Linf."""
        return self.cells_per_subject * self.per_cell


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which noisy value decides what is shown, and how high it has to be."""

    measure: str
    minimum: int
    false_presence: float


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One release plan, as its file says it."""

    name: str
    version: str
    domain: str
    purpose: str
    subject: str
    raw_hours: int
    grid: Grid
    measure: tuple[Measure, ...]
    threshold: Threshold

    @property
    def hash(self) -> str:
        """SHA-256 of the plan's values in canonical JSON, 64 hexadecimal digits."""
        values = msgspec.to_builtins(self)
        return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def epsilon_share(self) -> Decimal:
        """The part of a day's budget that this plan spends."""
        return sum((measure.epsilon_share for measure in self.measure), Decimal(0))

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
