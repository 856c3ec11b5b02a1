"""Rules withhold what a regulator names, and enough more that no sum gives any of it away."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.cli import app
from services.errors import InputError
from services.privacy.rules.audit import intervals
from services.privacy.rules.criteria import RULES, FifteenFifteen, PriorPosterior, Threshold, rule_of
from services.privacy.rules.merging import merged
from services.privacy.rules.suppression import COMPLEMENTARY, EARLIER, protect
from services.privacy.rules.table import TOTAL, Cell, Table


def grid(counts: list[list[int]]) -> Table:
    """Zones by kinds of customer; every customer uses 100 kWh."""
    return Table.of(
        Cell(row=f"zone {i}", column=f"kind {j}", count=count, value=100.0 * count)
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
    )


# One small cell: its row's sum less the other two gives it away, exactly.
GIVEN_AWAY = [[40, 30, 3], [50, 60, 70], [20, 45, 35]]


def test_naive_suppression_is_recoverable_and_ours_is_not() -> None:
    table = grid(GIVEN_AWAY)
    small = table.place["zone 0", "kind 2"]
    naive = np.zeros(len(table.cells), dtype=bool)
    naive[small] = True
    needed = np.full(len(table.cells), 10.0)
    (before,) = intervals(table, naive, [small], amount="count", needed=needed)
    assert (before.low, before.high, before.holds) == (3.0, 3.0, False)

    ours = protect(table, [Threshold(10)])
    (after,) = intervals(table, ours.withheld, [small], amount="count", needed=needed)
    assert after.holds
    assert after.width >= 10
    assert after.low <= 3 <= after.high
    assert {ours.reasons[n] for n in ours.reasons if n != small} == {COMPLEMENTARY}
    assert len(ours.reasons) == 4  # a rectangle, the least that can be


def test_two_withheld_cells_that_a_column_gives_away_are_not_enough() -> None:
    # Two small cells in one row hide each other there, but each column has only one of them.
    table = grid([[40, 2, 3], [50, 60, 70], [20, 45, 35]])
    small = [table.place["zone 0", f"kind {j}"] for j in (1, 2)]
    naive = np.zeros(len(table.cells), dtype=bool)
    naive[small] = True
    needed = np.full(len(table.cells), 10.0)
    assert [one.width for one in intervals(table, naive, small, amount="count", needed=needed)] == [0.0, 0.0]
    assert all(one.holds for one in protect(table, [Threshold(10)]).audit)


def test_a_narrow_interval_is_as_little_protection_as_none() -> None:
    # Withholding the rectangle of four 3s leaves each cell between 0 and 6: not exact, but narrower than 10.
    counts = [[3, 3, 40], [3, 3, 50], [60, 70, 80]]
    table = grid(counts)
    small = [n for n, cell in enumerate(table.cells) if cell.count == 3]
    naive = np.zeros(len(table.cells), dtype=bool)
    naive[small] = True
    needed = np.full(len(table.cells), 10.0)
    assert {(one.low, one.high) for one in intervals(table, naive, small, amount="count", needed=needed)} == {
        (0.0, 6.0)
    }
    ours = protect(table, [Threshold(10)])
    assert all(one.width >= 10 for one in ours.audit if one.amount == "count")
    assert len(ours.reasons) > 4


@settings(max_examples=15)
@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 2**32))
def test_whatever_the_table_no_primary_cell_can_be_worked_out(rows: int, columns: int, seed: int) -> None:
    rng = random.Random(seed)
    counts = [[rng.choice([0, 1, 4, 9, 12, 30, 200]) for _ in range(columns)] for _ in range(rows)]
    table = grid(counts)
    ours = protect(table, [Threshold(10)])
    for n, cell in enumerate(table.cells):
        assert cell.count >= 10 or n in ours.reasons
    exact = {(cell.row, cell.column): cell for cell in table.cells}
    for one in ours.audit:
        truth = getattr(exact[one.row, one.column], one.amount)
        assert one.low - 1e-6 * (1 + truth) <= truth <= one.high + 1e-6 * (1 + truth)
        assert one.holds


def test_what_was_withheld_stays_withheld_and_cannot_be_worked_out() -> None:
    before = protect(grid(GIVEN_AWAY), [Threshold(10)])
    names = {(before.table.cells[n].row, before.table.cells[n].column) for n in before.reasons}
    grown = grid([[40, 30, 12], *GIVEN_AWAY[1:]])  # the small cell has passed the threshold meanwhile
    assert protect(grown, [Threshold(10)]).reasons == {}
    after = protect(grown, [Threshold(10)], earlier=names)
    assert {(grown.cells[n].row, grown.cells[n].column) for n in after.reasons} >= names
    assert set(after.reasons.values()) <= {EARLIER, COMPLEMENTARY}
    counted = [one for one in after.audit if one.amount == "count"]
    assert {(one.row, one.column) for one in counted} == names  # none of them is taken for a mere complement
    assert all(one.width >= 10 for one in counted)
    with pytest.raises(InputError, match="zone 9 / kind 0 was withheld in the earlier period and is not in this table"):
        protect(grown, [Threshold(10)], earlier={("zone 9", "kind 0")})


def test_sums_of_few_are_withheld_too() -> None:
    ours = protect(grid([[2, 3], [40, 50], [60, 70]]), [Threshold(10)])
    hidden = {(ours.table.cells[n].row, ours.table.cells[n].column) for n in ours.reasons}
    assert ("zone 0", TOTAL) in hidden


def cell(count: int, *largest: float, value: float = 100.0) -> Cell:
    return Cell(row="a", count=count, value=value, largest=largest)


@pytest.mark.parametrize(
    ("rule", "given_cell", "withheld"),
    [
        ("k=10", cell(9), True),
        ("k=10", cell(10), False),
        ("k=10", cell(0, value=0), True),  # zero is as little as few
        ("15/15", cell(14, 5), True),
        ("15/15", cell(15, 15), False),
        ("15/15", cell(15, 15.1), True),
        ("15/20", cell(15, 15.1), False),
        ("cpuc-100", cell(99), True),
        ("cpuc-100", cell(100), False),
        ("nl-10", cell(9), True),
        ("dominance=2,85", cell(20, 50, 35), False),
        ("dominance=2,85", cell(20, 50, 35.5), True),
        ("dominance=1,50", cell(2, 40), True),  # two contributors know each other
        ("p=10", cell(20, 60, 34), False),  # 6 are left, a tenth of 60
        ("p=10", cell(20, 60, 34.5), True),
    ],
)
def test_rules_withhold_what_they_say(rule: str, given_cell: Cell, withheld: bool) -> None:
    assert (rule_of(rule).reason(given_cell) is not None) is withheld


@pytest.mark.parametrize(
    "text", ["k=1", "k=ten", "k=2.5", "dominance=2", "dominance=2,100", "p=0", "p=nan", "16/15", ""]
)
def test_an_unknown_rule_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InputError, match="there is no rule") as refusal:
        rule_of(text)
    assert all(rule in str(refusal.value) for rule in RULES)


def test_a_rule_about_shares_needs_to_know_them() -> None:
    for rule in (FifteenFifteen(), PriorPosterior(10)):
        with pytest.raises(InputError, match="largest contributions of a: give them in the columns top1 to"):
            rule.reason(cell(40))


def test_zones_are_merged_until_each_has_enough() -> None:
    counts = {"1011": 4, "1012": 5, "1013": 12, "1014": 3, "1015": 30, "1016": 2}
    joined = merged([Cell(row=row, count=count, value=1.0) for row, count in reversed(counts.items())], 10)
    assert [(one.row, one.count) for one in joined] == [("1011-1013", 21), ("1014-1016", 35)]
    assert [one.row for one in merged([Cell(row="1", count=3), Cell(row="2", count=4)], 10)] == ["1-2"]
    two = [Cell(row=str(n), column=kind, count=count) for n in range(6) for kind, count in (("gas", 4), ("power", 40))]
    assert [(one.row, one.column, one.count) for one in merged(two, 10)] == [
        ("0-2", "gas", 12),
        ("0-2", "power", 120),
        ("3-5", "gas", 12),
        ("3-5", "power", 120),
    ]


REGISTER = "row,column,count,value,top1,top2\nnorth,gas,40,4000,300,200\nnorth,power,6,600,110,100\nsouth,gas,50,5000,200,200\nsouth,power,70,7000,200,200\n"


def test_the_command_publishes_nothing_that_tells_few_from_withheld(tmp_path: Path) -> None:
    source, out = tmp_path / "register.csv", tmp_path / "public.csv"
    source.write_text(REGISTER, encoding="utf-8")
    done = CliRunner().invoke(
        app, ["privacy", "rules", str(source), "--rule", "15/15", "--out", str(out), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert {one["reason"] for one in document["officer"]["reasons"]} == {"fewer than 15 contributors", COMPLEMENTARY}
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    hidden = [row for row in rows if row["suppressed"] == "true"]
    assert {(row["count"], row["value"]) for row in hidden} == {("", "")}
    assert {"north", "south"} <= {row["row"] for row in hidden}
    assert len(rows) == 9
    assert list(rows[0]) == ["row", "column", "count", "value", "suppressed"]  # no reason among them
    assert len(document["published"]) == 9

    grown = tmp_path / "grown.csv"
    grown.write_text(REGISTER.replace("power,6,600", "power,60,6000"), encoding="utf-8")
    for more, withheld in ([], 0), (["--like", str(out)], len(hidden)):
        again = CliRunner().invoke(app, ["privacy", "rules", str(grown), "--rule", "15/15", "--json", *more])
        assert sum(row["suppressed"] for row in json.loads(again.stdout)["published"]) == withheld, again.output
    refused = CliRunner().invoke(app, ["privacy", "rules", str(grown), "--rule", "15/15", "--like", str(source)])
    assert "is not a file that" in str(refused.exception)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("zone,count\na,1\n", "has no column row"),
        ("row,count\na,many\n", "line 2: count must be a whole number"),
        ("row,count\na,-1\n", "line 2: count and value must not be negative"),
        ("row,count,value,top1\na,5,10,11\n", "nor a contribution larger than the value"),
        ("row,count,value\na,0,10\n", "line 2: a value of 10 without contributors"),
        ("row,count\na,20\na,20\n", "the cell a is there twice"),
        ("row,count\ntotal,20\n", "margins are worked out"),
    ],
)
def test_a_wrong_register_is_refused_with_the_line(tmp_path: Path, text: str, reason: str) -> None:
    source = tmp_path / "register.csv"
    source.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        CliRunner().invoke(app, ["privacy", "rules", str(source), "--rule", "k=10"], catch_exceptions=False)
    assert reason in str(refusal.value)
