"""Code concerned with which cells a rule withholds: too few contributors, or too much of the sum from one or two of them.

Sources: k and (n, k), p-%: Hundepool et al., Statistical Disclosure Control, 2012, chapter 4. 15/15 and 100 residential
customers: California Public Utilities Commission, decision 14-05-016. 10 connections: Dutch grid operators' open data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from services.errors import InputError
from services.privacy.rules.table import Cell


class Rule(Protocol):
    """Decides about one cell from register numbers alone. Zero and few are one case."""

    @property
    def least(self) -> int:
        """The fewest contributors that a shown cell has."""

    def reason(self, cell: Cell) -> str | None:
        """Why the cell is withheld; None when it may be shown."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """At least `least` contributors."""

    least: int

    def reason(self, cell: Cell) -> str | None:
        """Why the cell is withheld; None when it may be shown."""
        return f"fewer than {self.least} contributors" if cell.count < self.least else None


@dataclass(frozen=True, slots=True)
class Dominance:
    """The `most` largest contributions are at most `percent` of the sum: the (n, k) rule."""

    most: int
    percent: float
    least: int = 3

    def reason(self, cell: Cell) -> str | None:
        """Why the cell is withheld; None when it may be shown."""
        if cell.count < self.least:
            return f"fewer than {self.least} contributors"
        largest = _known(cell, self.most)
        if sum(largest) * 100 > self.percent * cell.value:
            return f"the {self.most} largest contribute more than {self.percent:g} %"
        return None


@dataclass(frozen=True, slots=True)
class PriorPosterior:
    """Nobody, not even the second largest contributor, can tell the largest contribution to within `percent`: the p-% rule."""

    percent: float
    least: int = 3

    def reason(self, cell: Cell) -> str | None:
        """Why the cell is withheld; None when it may be shown."""
        if cell.count < self.least:
            return f"fewer than {self.least} contributors"
        first, second = _known(cell, 2)
        if (cell.value - first - second) * 100 < self.percent * first:
            return f"the second largest could tell the largest contribution to within {self.percent:g} %"
        return None


@dataclass(frozen=True, slots=True)
class FifteenFifteen:
    """At least 15 contributors, of which none has more than 15 % of the sum; other numbers where a regulator says so."""

    least: int = 15
    percent: float = 15.0

    def reason(self, cell: Cell) -> str | None:
        """Why the cell is withheld; None when it may be shown."""
        return Threshold(self.least).reason(cell) or Dominance(1, self.percent, self.least).reason(cell)


def _known(cell: Cell, most: int) -> tuple[float, ...]:
    if len(cell.largest) < min(most, cell.count):
        message = (
            f"the rule needs the {most} largest contributions of {cell.row} {cell.column}".rstrip()
            + f": give them in the columns top1 to top{most}"
        )
        raise InputError(message)
    return (*cell.largest[:most], *(0.0 for _ in range(most - len(cell.largest))))


_NAMED: Final[Mapping[str, Rule]] = {
    "15/15": FifteenFifteen(),
    "15/20": FifteenFifteen(15, 20.0),
    "cpuc-100": Threshold(100),
    "nl-10": Threshold(10),
    "uk-5": Threshold(5),
}
RULES: Final = (*_NAMED, "k=<count>", "dominance=<n>,<percent>", "p=<percent>")


def rule_of(text: str) -> Rule:
    """The rule of that name, such as `k=10`, `dominance=2,85`, `p=10` or `15/15`.

    Raises:
        InputError: there is no such rule; the message has them all.

    """
    if text in _NAMED:
        return _NAMED[text]
    name, _, given = text.partition("=")
    try:
        numbers = [float(number) for number in given.split(",")]
        match name, numbers:
            case "k", [count] if count >= 2 and count == int(count):
                return Threshold(int(count))
            case "dominance", [count, percent] if count >= 1 and count == int(count) and 0 < percent < 100:
                return Dominance(int(count), percent)
            case "p", [percent] if 0 < percent < 100:
                return PriorPosterior(percent)
    except ValueError:
        pass
    message = f"there is no rule {text!r}, only {', '.join(RULES)}"
    raise InputError(message)
