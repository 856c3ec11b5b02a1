"""Who knows why each cell is withheld learns nothing more of it from the table; that he be left an interval of k cannot be."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.cli import app
from services.privacy.rules.audit import Interval, intervals
from services.privacy.rules.criteria import Dominance, Rule, Threshold
from services.privacy.rules.knowledge import (
    NOTHING,
    REASONS,
    REASONS_AND_EMPTY,
    Knowledge,
    nothing,
    reasons_and_empty,
    reasons_known,
)
from services.privacy.rules.suppression import Protected, protect
from services.privacy.rules.table import Cell, Table


def grid(counts: list[list[int]]) -> Table:
    return Table.of(
        Cell(row=f"zone {i}", column=f"kind {j}", count=count, value=100.0 * count)
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
    )


def seen(table: Table, withheld: np.ndarray, number: int, known: Knowledge) -> tuple[float, float]:
    needed = np.zeros(len(table.cells))
    (one,) = intervals(table, withheld, [number], amount="count", needed=needed, known=known)
    return one.low, one.high


def informed(found: Protected, knows: str, row: str, column: str) -> Interval:
    (one,) = [one for one in found.informed if (one.knows, one.row, one.column) == (knows, row, column)]
    return one


# A small cell whose rectangle of withheld cells is only just large enough: each other corner has a little more than ten.
TIGHT = [[3, 12, 80], [11, 40, 90], [70, 60, 50]]


def test_a_pattern_that_holds_against_the_ignorant_gives_a_cell_away_to_who_knows_the_reasons() -> None:
    table = grid(TIGHT)
    rectangle = np.zeros(len(table.cells), dtype=bool)
    rectangle[[table.place[f"zone {i}", f"kind {j}"] for i in (0, 1) for j in (0, 1)]] = True
    small = table.place["zone 0", "kind 0"]
    assert seen(table, rectangle, small, nothing(table)) == (0, 14)
    # 12 and 11 cannot fall below ten, so 3 cannot rise above 4.
    assert seen(table, rectangle, small, reasons_known(table, [Threshold(10)])) == (0, 4)
    assert seen(table, rectangle, small, reasons_and_empty(table, [Threshold(10)])) == (1, 4)

    ours = protect(table, [Threshold(10)])
    assert (informed(ours, REASONS, "zone 0", "kind 0").low, informed(ours, REASONS, "zone 0", "kind 0").high) == (0, 9)
    assert all(one.holds for one in (*ours.audit, *ours.informed))
    secret = protect(table, [Threshold(10)], reasons_secret=True)
    assert all(one.holds for one in secret.audit)
    assert not informed(secret, REASONS, "zone 0", "kind 0").holds
    assert set(secret.reasons) < set(ours.reasons)


@pytest.mark.parametrize(("rule", "ends"), [(Threshold(10), (0, 9)), (Threshold(2), (0, 1)), (Threshold(100), (0, 99))])
def test_no_pattern_leaves_an_interval_of_k_to_who_knows_that_k_was_the_reason(
    rule: Threshold, ends: tuple[float, float]
) -> None:
    table = grid([[1, 400], [500, 600]])
    everything = np.ones(len(table.cells), dtype=bool)
    low, high = seen(table, everything, 0, reasons_known(table, [rule]))
    assert (low, high) == ends
    assert high - low == rule.least - 1
    assert seen(table, everything, 0, nothing(table))[1] == np.inf


def test_what_reasons_alone_say_is_not_asked_of_the_table() -> None:
    # Two small cells under a sum that is not small: whatever is withheld, each is at least one.
    ours = protect(grid([[9], [9]]), [Threshold(10)])
    for row in ("zone 0", "zone 1"):
        one = informed(ours, REASONS, row, "kind 0")
        assert (one.low, one.high, one.needed, one.holds) == (1, 9, 8, True)


def test_who_knows_the_empty_cells_too_is_left_the_rest_of_the_range() -> None:
    ours = protect(grid([[0, 5, 60], [70, 80, 90], [100, 110, 120]]), [Threshold(10)])
    empty = informed(ours, REASONS_AND_EMPTY, "zone 0", "kind 0")
    other = informed(ours, REASONS_AND_EMPTY, "zone 0", "kind 1")
    assert (empty.low, empty.high) == (0, 0)
    assert (other.low, other.high, other.holds) == (1, 9, True)
    # A rule of two leaves one number only to who knows that nobody is not the answer; no table can help there.
    one = informed(protect(grid([[1, 50], [60, 70]]), [Threshold(2)]), REASONS_AND_EMPTY, "zone 0", "kind 0")
    assert (one.low, one.high, one.holds) == (1, 1, True)


def test_a_cell_that_was_not_too_small_keeps_an_interval_of_k() -> None:
    cells = [
        Cell(row=f"zone {i}", column=f"kind {j}", count=count, value=1000.0, largest=(largest, 10.0))
        for i, row in enumerate([[20, 30, 40], [35, 45, 25], [50, 60, 70]])
        for j, (count, largest) in enumerate(
            (count, 990.0 if (i, j) == (0, 0) else 20.0) for j, count in enumerate(row)
        )
    ]
    rules: list[Rule] = [Threshold(10), Dominance(1, 85)]
    table = Table.of(cells)
    known = reasons_known(table, rules)
    assert (known.low[0], known.high[0]) == (10, np.inf)
    one = informed(protect(table, rules), REASONS, "zone 0", "kind 0")
    assert one.holds
    assert one.low >= 10
    assert one.width >= 10


@settings(max_examples=8)
@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 2**32))
def test_whatever_the_table_shown_numbers_add_nothing_to_the_reasons(rows: int, columns: int, seed: int) -> None:
    rng = random.Random(seed)
    table = grid([[rng.choice([0, 1, 4, 9, 10, 11, 13, 30, 200]) for _ in range(columns)] for _ in range(rows)])
    rule = Threshold(10)
    ours = protect(table, [rule])
    everything = np.ones(len(table.cells), dtype=bool)
    few = [number for number, cell in enumerate(table.cells) if cell.count < 10]
    for known in (reasons_known(table, [rule]), reasons_and_empty(table, [rule])):
        for number in few:
            assert seen(table, ours.withheld, number, known) == pytest.approx(seen(table, everything, number, known))
    assert {one.knows for one in ours.audit} <= {NOTHING}
    assert all(one.holds for one in (*ours.audit, *ours.informed))


def _every_table() -> np.ndarray:
    """All tables of two by two with up to fifteen in a cell, one a row, in the order of `Table.of`: columns, rows, whole."""
    a, b, c, d = np.indices((16, 16, 16, 16)).reshape(4, -1)
    return np.stack([a, b, c, d, a + c, b + d, a + b, c + d, a + b + c + d], axis=1).astype(np.float64)


EVERY_TABLE = _every_table()


@settings(max_examples=25)
@given(st.lists(st.integers(0, 7), min_size=4, max_size=4), st.integers(0, 2**32))
def test_the_interval_is_that_of_every_table_that_fits(counts: list[int], seed: int) -> None:
    """Against all tables, one by one, that agree with what is shown and known."""
    table = grid([counts[:2], counts[2:]])
    exact = table.amounts("count")
    assert (exact == EVERY_TABLE).all(axis=1).any(), "the order of the cells is another one"
    rng = random.Random(seed)
    rule = Threshold(4)
    withheld = np.array([cell.count < 4 or rng.random() < 0.5 for cell in table.cells])
    for known in (reasons_known(table, [rule]), reasons_and_empty(table, [rule])):
        low, high = np.where(withheld, known.low, exact), np.where(withheld, known.high, exact)
        fitting = EVERY_TABLE[((low <= EVERY_TABLE) & (high >= EVERY_TABLE)).all(axis=1)]
        for number in np.flatnonzero(withheld & (exact < 4)):
            ends = fitting[:, number].min(), fitting[:, number].max()
            assert seen(table, withheld, int(number), known) == pytest.approx(ends)


def test_the_command_says_what_who_knows_the_reasons_could_tell(tmp_path: Path) -> None:
    source = tmp_path / "register.csv"
    lines = [f"zone {i},kind {j},{count}" for i, row in enumerate(TIGHT) for j, count in enumerate(row)]
    source.write_text("\n".join(["row,column,count", *lines]), encoding="utf-8")
    run = CliRunner()
    safe = run.invoke(app, ["privacy", "rules", str(source), "--rule", "k=10"], catch_exceptions=False)
    assert "who knows why cells are withheld learns nothing more of them from what is shown" in safe.stdout
    short = ["privacy", "rules", str(source), "--rule", "k=10", "--reasons-secret"]
    assert "keep this report secret, or leave out --reasons-secret" in run.invoke(app, short).stdout
    officer = json.loads(run.invoke(app, [*short, "--json"]).stdout)["officer"]
    assert {one["knows"] for one in officer["informed_audit"]} == {REASONS, REASONS_AND_EMPTY}
    assert [one["holds"] for one in officer["audit"]] == [True] * len(officer["audit"])
