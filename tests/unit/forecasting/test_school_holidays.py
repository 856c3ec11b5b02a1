"""The file that says when schools are closed, and what is said about a wrong one.

The dates are Berlin's, as the Senate Department for Education publishes them (berlin.de/sen/bjf/service/kalender/ferien).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.calendar import Calendar
from services.cli import app
from services.doctor import examine
from services.errors import InputError
from services.forecasting.city_calendar import city_calendar, with_school_holidays
from services.settings import Settings

BERLIN = Calendar(zone="Europe/Berlin", country="DE", region="BE")
TABLE = """start,end,region,name
2024-02-05,2024-02-10,BE,winter
2024-07-18,2024-08-30,BE,summer
2024-07-29,2024-09-09,BY,summer
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "schools.csv"
    file.write_text(text, encoding="utf-8")
    return file


def day(month: int, of_month: int) -> int:
    return (date(2024, month, of_month) - date(1970, 1, 1)).days


def test_only_the_periods_of_the_region_count(tmp_path: Path) -> None:
    known = with_school_holidays(BERLIN, written(tmp_path, TABLE))
    some = np.array([day(2, 9), day(7, 17), day(7, 18), day(8, 30), day(9, 2)])
    assert known.school_breaks_at(some).tolist() == [True, False, True, True, False]
    assert (known.zone, known.country, known.region) == (BERLIN.zone, BERLIN.country, BERLIN.region)
    everywhere = with_school_holidays(Calendar(country="DE"), written(tmp_path, TABLE))
    assert everywhere.school_breaks_at(some)[-1]


def test_columns_may_be_in_any_order_and_only_two(tmp_path: Path) -> None:
    known = with_school_holidays(BERLIN, written(tmp_path, "end,start\n2024-08-30,2024-07-18\n\n"))
    assert known.school_breaks == ((day(7, 18), day(8, 30)),)


def test_the_city_has_those_of_its_setting(tmp_path: Path) -> None:
    told = Settings(school_holidays=written(tmp_path, TABLE), city_region="BE")
    assert city_calendar(told).school_breaks_at(np.array([day(7, 18)]))[0]
    assert city_calendar(Settings()).school_breaks == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header must be start,end"),
        ("begin,end\n2024-07-18,2024-08-30\n", "line 1: the header must be start,end"),
        ("start,end\n", "has no period"),
        ("start,end\n2024-07-18,2024-08-30,BE\n", "line 2: 3 fields where the header has 2"),
        ("start,end\n2024-02-05,2024-02-10\n18.07.2024,2024-08-30\n", "line 3: '18.07.2024' is not a day"),
        ("start,end\n2024-08-30,2024-07-18\n", "line 2: from 2024-08-30 to 2024-07-18 is no period"),
        ("start,end\n2024-01-01,2024-12-31\n", "no period of 1 to 120 days"),
        ("start,end\n0224-07-18,0224-08-30\n", "correct the year"),
        ("start,end,region\n2024-07-29,2024-09-09,BY\n", "no period is of region BE"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        with_school_holidays(BERLIN, written(tmp_path, text))


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read"):
        with_school_holidays(BERLIN, tmp_path / "none.csv")
    with pytest.raises(InputError, match="too large"):
        with_school_holidays(BERLIN, written(tmp_path, "start,end\n" + "x" * 1_000_000))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [(TABLE, "warning"), ("start,end\n2099-07-18,2099-08-30\n", "ok"), ("start,end\nsoon,later\n", "wrong")],
    ids=["over", "to come", "not readable"],
)
def test_the_doctor_looks_at_the_list(tmp_path: Path, text: str, verdict: str) -> None:
    told = Settings(school_holidays=written(tmp_path, text), data_dir=tmp_path)
    assert [one.verdict for one in examine(told) if one.subject == "school holidays"] == [verdict]


def test_the_worker_does_not_start_with_a_list_it_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTERIAL_SCHOOL_HOLIDAYS", str(written(tmp_path, "start,end\nsoon,later\n")))
    for command in ("worker", "up"):
        done = CliRunner().invoke(app, [command])
        assert isinstance(done.exception, InputError), done.output
