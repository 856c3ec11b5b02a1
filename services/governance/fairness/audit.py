"""Code concerned with the fairness audit as such: what is compared, which gates it has to pass, and the document it becomes.

Gates: the mean absolute error of the worst group is at most 1.25 times that of the best, 80 % and 90 % intervals hold within 5
points of each other, and the share of withheld values within 10 points. A gate is judged by the estimate itself; its bootstrap
interval is given beside it, which lies a little high, as the extremes of a sample lie further apart. Groups of fewer than three
units are listed, and not judged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import h3
import numpy as np

from services.errors import NotFoundError
from services.governance.fairness.compared import Comparison, Estimate, Ratio, compare
from services.governance.fairness.groups import district_of_cells, income_groups
from services.settings import Settings
from services.storage import governance, overview
from services.storage.database import Connection
from services.storage.governance import SensorScore, Withheld

DAYS: Final = 28
SAMPLES: Final = 200
LEAST_UNITS: Final = 3
MAE_RATIO: Final = 1.25
COVERAGE_GAP: Final = 0.05
SUPPRESSION_GAP: Final = 0.10
_JUDGED_BY: Final = "the gates of this project; nobody publishes a schema of such an audit"

Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Units:
    """Units of one subject, each with its district and the sums its figures are made of."""

    subject: str
    unit: str
    districts: list[str]
    figures: dict[str, Ratio]


def audit(
    connection: Connection, settings: Settings, now: datetime, *, days: int = DAYS, samples: int = SAMPLES, told: Told
) -> dict[str, Any]:
    """Compare districts, and income groups where the city has given them.

    Args:
        connection: of role api or jobs.
        settings: which income group each district belongs to.
        now: the moment; the days before today are looked at.
        days: how many of them.
        samples: of the bootstrap.
        told: hears how many comparisons are done, and of how many.

    Returns:
        The document: `judged_by`, `passed`, `gates`, `forecasts`, `suppression`, `not_judged`.

    Raises:
        NotFoundError: nothing was scored or released on these days.
        ConfigurationError: fairlearn is not installed, or the file of income groups cannot be used.

    """
    until = now.date() - timedelta(days=1)
    since = until - timedelta(days=days - 1)
    districts = overview.districts(connection)
    incomes = {} if settings.governance_income_groups is None else income_groups(settings.governance_income_groups)
    forecasts = list(_forecasts(governance.sensor_scores(connection, since=since, until=until)))
    cells = governance.withheld(connection, since=since, until=until)
    suppression = list(_suppression(cells, districts))
    if not forecasts and not suppression:
        message = f"nothing was scored or released from {since} to {until}: there is nothing to compare yet"
        raise NotFoundError(message)
    found = _Findings(since=since, until=until, samples=samples)
    comparisons = [
        (units, *grouping) for units in (*forecasts, *suppression) for grouping in _groupings(units, incomes)
    ]
    for done, (units, by, group_of) in enumerate(comparisons):
        told(done, len(comparisons))
        found.add(units, by, group_of)
    return found.document(now, [district.code for district in districts if incomes and district.code not in incomes])


class _Findings:
    """Collects what each comparison found."""

    def __init__(self, *, since: date, until: date, samples: int) -> None:
        self._since, self._until, self._samples = since, until, samples
        self._gates: list[dict[str, Any]] = []
        self._forecasts: list[dict[str, Any]] = []
        self._suppression: list[dict[str, Any]] = []
        self._not_judged: list[dict[str, Any]] = []

    def add(self, units: _Units, by: str, group_of: Mapping[str, str]) -> None:
        """Compare the groups of one subject, leaving out those that are too small."""
        groups = [group_of.get(district, "") for district in units.districts]
        counts = Counter(group for group in groups if group)
        small = sorted(group for group, count in counts.items() if count < LEAST_UNITS)
        for group in small:
            reason = f"fewer than {LEAST_UNITS} {units.unit}s"
            self._not_judged.append({"subject": units.subject, "by": by, "group": group, "reason": reason})
        kept = np.array([bool(group) and group not in small for group in groups], dtype=bool)
        if len(counts) - len(small) < 2:
            reason = "fewer than two groups are large enough to be compared"
            self._not_judged.append({"subject": units.subject, "by": by, "group": None, "reason": reason})
            return
        figures = {
            name: Ratio(above=figure.above[kept], below=figure.below[kept]) for name, figure in units.figures.items()
        }
        names = [group for group, keep in zip(groups, kept, strict=True) if keep]
        comparison = compare(figures, names, samples=self._samples)
        self._note(units, by, comparison)

    def _note(self, units: _Units, by: str, comparison: Comparison) -> None:
        rows = self._suppression if "withheld" in units.figures else self._forecasts
        for group, figures in comparison.by_group.items():
            row: dict[str, Any] = {"subject": units.subject, "by": by, "group": group, "units": comparison.units[group]}
            row |= {name: estimate.as_json() for name, estimate in figures.items()}
            if "bias" in figures:
                row["bias_sign"] = _sign(figures["bias"])
            rows.append(row)
        if "withheld" in units.figures:
            self._gate("suppression_gap", units, by, comparison.gaps["withheld"], SUPPRESSION_GAP)
            return
        self._gate("mae_ratio", units, by, comparison.ratios["mae"], MAE_RATIO)
        self._gate("coverage_80_gap", units, by, comparison.gaps["coverage_80"], COVERAGE_GAP)
        self._gate("coverage_90_gap", units, by, comparison.gaps["coverage_90"], COVERAGE_GAP)

    def _gate(self, name: str, units: _Units, by: str, estimate: Estimate, limit: float) -> None:
        gate = {"gate": name, "subject": units.subject, "by": by, "limit": limit, "held": estimate.value <= limit}
        self._gates.append(gate | estimate.as_json())

    def document(self, now: datetime, without_income: Sequence[str]) -> dict[str, Any]:
        """Everything found; passed when there were gates and all held."""
        return {
            "audited_at": now.isoformat(),
            "since": self._since.isoformat(),
            "until": self._until.isoformat(),
            "judged_by": _JUDGED_BY,
            "passed": bool(self._gates) and all(gate["held"] for gate in self._gates),
            "gates": self._gates,
            "forecasts": self._forecasts,
            "suppression": self._suppression,
            "not_judged": self._not_judged,
            "districts_without_income_group": list(without_income),
            "bootstrap": {"samples": self._samples, "interval": 0.95},
        }


def _groupings(units: _Units, incomes: Mapping[str, str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    yield "district", {code: code for code in set(units.districts)}
    if incomes:
        yield "income_group", incomes


def _forecasts(scores: Sequence[SensorScore]) -> Iterator[_Units]:
    """One subject per kind and quantity, its units the sensors."""
    by_subject: dict[str, list[SensorScore]] = defaultdict(list)
    for score in scores:
        by_subject[f"{score.kind} {score.quantity}"].append(score)
    for subject, rows in by_subject.items():
        n = np.array([row.n for row in rows], dtype=np.float64)
        errors = np.array([row.absolute_error for row in rows], dtype=np.float64)
        observed = np.array([row.observed_sum for row in rows], dtype=np.float64)
        figures = {
            "mae": Ratio(above=errors, below=n),
            "wape": Ratio(above=errors, below=observed),
            "coverage_80": Ratio(above=np.array([row.inside_80 for row in rows], dtype=np.float64), below=n),
            "coverage_90": Ratio(above=np.array([row.inside_90 for row in rows], dtype=np.float64), below=n),
        }
        if all(row.signed_n for row in rows):  # scores from before the sign was kept have none
            figures["bias"] = Ratio(
                above=np.array([row.signed_error for row in rows], dtype=np.float64),
                below=np.array([row.signed_n for row in rows], dtype=np.float64),
            )
        yield _Units(subject=subject, unit="sensor", districts=[row.district for row in rows], figures=figures)


def _suppression(rows: Sequence[Withheld], districts: Sequence[overview.District]) -> Iterator[_Units]:
    """One subject per plan: its units are cells, or days of a district or station."""
    places = sorted({row.place for row in rows if row.district is None and h3.is_valid_cell(row.place)})
    of_cell = district_of_cells(places, districts)
    by_plan: dict[str, dict[tuple[str, date | None], list[Any]]] = defaultdict(dict)
    for row in rows:
        cell = row.district is None
        district = of_cell.get(row.place) if cell else row.district
        if district is None:
            continue
        unit = by_plan[row.plan].setdefault((row.place, None if cell else row.day), [district, 0, 0])
        unit[1] += row.withheld
        unit[2] += row.published
    for plan, units in by_plan.items():
        cell = next(iter(units))[1] is None
        yield _Units(
            subject=plan,
            unit="cell" if cell else "day",
            districts=[unit[0] for unit in units.values()],
            figures={
                "withheld": Ratio(
                    above=np.array([unit[1] for unit in units.values()], dtype=np.float64),
                    below=np.array([unit[2] for unit in units.values()], dtype=np.float64),
                )
            },
        )


def _sign(bias: Estimate) -> str:
    """Whether forecasts are too high or too low, or neither for sure."""
    if bias.low > 0:
        return "too high"
    return "too low" if bias.high < 0 else "not sure"
