"""Recordings as panels: what is understood, and what is refused with row and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.errors import InputError
from services.forecasting.datasets.berlin import berlin
from services.forecasting.datasets.recording import Options, Recording
from services.forecasting.datasets.wide_csv import wide_csv


def read(path: Path, text: str, *, freq: str | None = None, country: str | None = None) -> Recording:
    path.write_text(text, encoding="utf-8")
    return wide_csv(path, options=Options(freq=freq, country=country, zone="Europe/Berlin"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "loops.csv"


def test_gaps_missing_values_and_disorder_are_fine(file: Path) -> None:
    text = "time;a;b\n2024-06-01T02:00:00Z;3;\n2024-06-01T00:00:00Z;1;10\n2024-06-01T01:00;2;NaN\n2024-06-01T04:00:00Z;5;50\n"
    found = read(file, text, country="DE-BE")
    assert found.panel.names == ("a", "b")
    assert found.panel.step_seconds == 3600
    assert found.panel.values[0].tolist()[:3] == [1.0, 2.0, 3.0]
    assert np.isnan(found.panel.values).tolist() == [
        [False, False, False, True, False],
        [False, True, True, True, False],
    ]
    assert found.panel.calendar.region == "BE"
    assert found.panel.nonnegative
    assert (found.name, found.protocol.horizons, found.protocol.season) == ("loops", (1, 3, 6, 12, 24), 24)


@pytest.mark.parametrize(("minutes", "network", "ets"), [(5, True, False), (15, True, True), (30, False, True)])
def test_its_step_says_which_models_are_tried(file: Path, minutes: int, network: bool, ets: bool) -> None:
    rows = [f"2024-06-01T{k * minutes // 60:02}:{k * minutes % 60:02},{k}" for k in range(10)]
    found = read(file, "t,a\n" + "\n".join(rows) + "\n")
    assert ("network" in found.candidates, "ets" in found.candidates, "load_ridge" in found.candidates) == (
        network,
        ets,
        ets,
    )
    assert (
        {one.name for one in found.models} == set(found.candidates) > {"last_value", "profile_ridge", "calendar_ridge"}
    )


def test_a_wider_step_averages(file: Path) -> None:
    found = read(file, "t,a\n2024-06-01 00:00,1\n2024-06-01 00:15,-3\n2024-06-01 01:00,7\n", freq="1h")
    assert found.panel.values.tolist() == [[-1.0, 7.0]]
    assert not found.panel.nonnegative


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "header"),
        ("time,a\n2024-06-01T00:00,1\n", "two rows"),
        ("time,a,a\n2024-06-01T00:00,1,2\n2024-06-01T01:00,1,2\n", "two columns are named 'a'"),
        ("time,a\n2024-06-01T00:00,1\nyesterday,2\n", "row 3, column 1: 'yesterday' is not a time"),
        ("time,a\n2024-06-01T00:00,1\n2024-06-01T01:00,many\n", "row 3, column 'a': 'many' is not a number"),
        ("time,a\n2024-06-01T00:00,1\n2024-06-01T01:00,inf\n", "row 3, column 'a': 'inf' is no measurement"),
        ("time,a,b\n2024-06-01T00:00,1,2\n2024-06-01T01:00,1\n", "row 3: 2 fields where the header has 3"),
        ("time,a\n2024-06-01T00:00,1\n2024-06-01T00:00,1\n", "same time"),
        ("time,a\n2024-06-01T00:00,1\n2024-06-01T00:07,1\n", "does not divide a day"),
        ("time,a\n1950-01-01T00:00,1\n2024-06-01T00:00,1\n2024-06-01T00:01,1\n2024-06-01T00:02,1\n", "times wrong"),
        ("time,a\n\n9999-12-31T00:00,1\n9999-12-31T01:00,1\n", "row 3, column 1: .* is not a time from 1900 to 2199"),
        ("time,a\n2024-06-01T00:00,\n2024-06-01T01:00,NA\n", "no column holds any value"),
        ("time,a\n2024-06-01T00:00,1\n2024-06-01T01:00,1\n2024-06-01T04:00,\n", "last 20% of the time"),
        ("time,a\n2024-06-01T00:00,1,5\n2024-06-01T01:00,2,5\n", "row 2: 3 fields where the header has 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(file, text)


def test_blank_lines_and_decimal_commas_are_fine(file: Path) -> None:
    found = read(file, "time;a;b\n\n2024-06-01T00:00;1,5;2\n2024-06-01T01:00;-0,25;1.5\n\n")
    assert found.panel.values.tolist() == [[1.5, -0.25], [2.0, 1.5]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "time,Rue de Rivoli E-W,Quai 3\n2024-06-01 00:00,1,2\n2024-06-01 01:00,3,4\n",
            ("Rue de Rivoli E-W", "Quai 3"),
        ),
        ("time,Main Street\n2024-06-01 00:00,1\n2024-06-01 01:00,3\n", ("Main Street",)),
        ("time;Main Street, N;b\n2024-06-01 00:00;1,5;2\n2024-06-01 01:00;3;4\n", ("Main Street, N", "b")),
        ('time,"Main, N",b\n2024-06-01 00:00,1,2\n2024-06-01 01:00,3,4\n', ("Main, N", "b")),
        ("time a b\n2024-06-01T00:00 1 2\n2024-06-01T01:00 3 4\n", ("a", "b")),
    ],
)
def test_names_may_hold_spaces_and_commas(file: Path, text: str, names: tuple[str, ...]) -> None:
    assert read(file, text).panel.names == names


def test_options_are_checked(file: Path, tmp_path: Path) -> None:
    good = "time,a\n2024-06-01T00:00,1\n2024-06-01T01:00,1\n"
    with pytest.raises(InputError, match="--freq 'often'"):
        read(file, good, freq="often")
    with pytest.raises(InputError, match="--country 'XX'"):
        read(file, good, country="XX")
    with pytest.raises(InputError, match="cannot be read"):
        wide_csv(tmp_path / "none.csv")
    file.write_bytes(b"time,a\n\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        wide_csv(file)
    with pytest.raises(InputError, match="--zone 'Mars'"):
        wide_csv(file, options=Options(zone="Mars"))


def test_no_berlin_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Berlin recording"):
        berlin(tmp_path)
    with pytest.raises(InputError, match="flow, speed"):
        berlin(tmp_path, options=Options(quantity="noise"))
