"""Groups compared by hand, and the files that say who belongs to which."""

from __future__ import annotations

import sys
from pathlib import Path

import h3
import numpy as np
import pytest

from services.errors import ConfigurationError
from services.governance.fairness.compared import Ratio, compare
from services.governance.fairness.groups import district_of_cells, income_groups
from services.storage.overview import District


def numbers(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def test_groups_by_hand() -> None:
    errors = Ratio(above=numbers(10, 20, 30, 40, 90, 110), below=numbers(1, 1, 2, 1, 2, 2))
    held = Ratio(above=numbers(8, 7, 9, 8, 6, 8), below=numbers(10, 10, 10, 10, 10, 10))
    found = compare({"mae": errors, "coverage": held}, ["a", "a", "a", "b", "b", "b"], samples=20)

    assert found.units == {"a": 3, "b": 3}
    assert found.by_group["a"]["mae"].value == 15.0, "60 / 4"
    assert found.by_group["b"]["mae"].value == 48.0, "240 / 5"
    assert found.ratios["mae"].value == pytest.approx(48 / 15)
    assert found.gaps["coverage"].value == pytest.approx(24 / 30 - 22 / 30)
    for estimate in (*found.by_group["a"].values(), *found.by_group["b"].values(), *found.ratios.values()):
        assert estimate.low <= estimate.high
    assert found.by_group["b"]["mae"].low <= 48 <= found.by_group["b"]["mae"].high


def test_equal_groups_differ_by_nothing() -> None:
    same = Ratio(above=numbers(5, 5, 5, 5), below=numbers(1, 1, 1, 1))
    found = compare({"mae": same}, ["a", "a", "b", "b"], samples=20)

    assert (found.ratios["mae"].value, found.ratios["mae"].low, found.ratios["mae"].high) == (1.0, 1.0, 1.0)
    assert found.gaps["mae"].high == 0.0


def test_without_fairlearn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'arterial\[governance\]'"):
        compare({"mae": Ratio(above=numbers(1), below=numbers(1))}, ["a"], samples=10)


def test_income_groups_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("\ufeffdistrict,income_group,note\r\nmitte,high,\r\n hafen , low ,x\r\n", encoding="utf-8")
    assert income_groups(file) == {"mitte": "high", "hafen": "low"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("district,group\nmitte,high\n", "has no column income_group"),
        ("district,income_group\nmitte,\n", "line 2: district and income_group must both be there"),
        ("district,income_group\nmitte,high\nmitte,low\n", "line 3: district mitte is there twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_line(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=sentence):
        income_groups(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv, which cannot be read"):
        income_groups(tmp_path / "nowhere.csv")


def test_a_cell_belongs_to_the_district_of_its_centre() -> None:
    def square(west: float) -> dict[str, object]:
        ring = [[west, 52.5], [west + 0.1, 52.5], [west + 0.1, 52.6], [west, 52.6], [west, 52.5]]
        return {"type": "Polygon", "coordinates": [ring]}

    districts = [
        District(id=number, code=code, name=code, outline=square(west))
        for number, (code, west) in enumerate((("west", 13.3), ("east", 13.4)))
    ]
    cells = {
        place: h3.latlng_to_cell(52.55, lon, 8) for place, lon in (("west", 13.35), ("east", 13.45), ("none", 14.0))
    }
    found = district_of_cells(list(cells.values()), districts)
    assert {found[cells["west"]], found[cells["east"]]} == {"west", "east"}
    assert found[cells["west"]] == "west"
    assert cells["none"] not in found
