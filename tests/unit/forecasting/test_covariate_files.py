"""The long file of covariates, what is said about a wrong one, and what a backtest makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from models.calendar import Calendar, school_breaks_of
from models.informed import Informed
from models.panel import Panel
from models.profile import Profile
from services.domain import to_us
from services.errors import InputError
from services.forecasting import evaluation
from services.forecasting.covariate_files import (
    OBSERVED_AFTER,
    SCHOOL_BREAK,
    covariates_of,
    described,
    in_words,
    read_covariates,
    with_schools,
)
from services.forecasting.datasets.recording import Options
from services.forecasting.datasets.wide_csv import wide_csv

HEAD = "variable,valid_at,issued_at,value,district\n"
TABLE = (
    HEAD
    + """temperature_c,2026-11-22T08:00:00Z,2026-11-22T00:00:00Z,4.5,
temperature_c,2026-11-22T08:00:00Z,,5.5,
temperature_c,2026-11-22T09:00:00+01:00,2026-11-21T12:00:00Z,3.5,
event,2026-11-22T18:00:00Z,2026-11-01T00:00:00Z,1,mitte
event,2026-11-22T18:00:00Z,2026-11-01T00:00:00Z,0,
"""
)
EIGHT = to_us(datetime(2026, 11, 22, 8, tzinfo=UTC))
HOUR_US = 3_600_000_000


def written(folder: Path, text: str, name: str = "weather.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_forecasts_and_observations_are_told_apart_by_their_issue(tmp_path: Path) -> None:
    said = read_covariates(written(tmp_path, TABLE))
    temperature = said["temperature_c", None]
    assert temperature.values.tolist() == [3.5, 4.5, 5.5]
    assert (temperature.valid_us == EIGHT).all()
    assert temperature.issued_us[-1] == EIGHT + OBSERVED_AFTER // timedelta(microseconds=1)
    assert temperature.forecasts == 2
    told = described(said)[0]
    assert (told["variable"], told["observations"], told["forecasts"]) == ("temperature_c", 1, 2)
    alone = read_covariates(written(tmp_path, "value,valid_at,variable\n3,2026-11-22T08:00:00Z,rain_mm\n"))
    assert "stands in" in " ".join(in_words(alone))
    assert "stands in" not in " ".join(in_words(said))


def test_what_was_said_of_a_district_goes_before_what_was_said_of_everywhere(tmp_path: Path) -> None:
    known = covariates_of(read_covariates(written(tmp_path, TABLE)), ["mitte", None, "elsewhere"])
    assert known is not None
    assert known.names == ("event", "temperature_c")
    evening = np.array([EIGHT + 10 * HOUR_US])
    values = [known.known(place, 0, evening, evening)[0][0] for place in known.places]
    assert values == [1.0, 0.0, 0.0]
    assert all(known.known(place, 1, np.array([EIGHT]), evening)[0] == 5.5 for place in known.places)
    assert covariates_of({}, ["mitte"]) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header must be variable,valid_at,value"),
        ("variable,time,value\n", "line 1: the header must be"),
        (HEAD, "has no rows below its header"),
        (HEAD + "temperature_c,2026-11-22T08:00:00Z,,5.5\n", "line 2: 4 fields where the header has 5"),
        (HEAD + "Temp °C,2026-11-22T08:00:00Z,,5.5,\n", "line 2: 'Temp °C' is no name of a variable"),
        (HEAD + "t,yesterday,,5.5,\n", "line 2, valid_at: 'yesterday' is not a time such as"),
        (HEAD + "t,2026-11-22T08:00:00Z,soon,5.5,\n", "line 2, issued_at: 'soon' is not a time"),
        (HEAD + "t,0026-11-22T08:00:00Z,,5.5,\n", "correct the year"),
        (HEAD + "t,2026-11-22T08:00:00Z,2024-11-22,5.5,\n", "issued more than 400 days before"),
        (HEAD + "\nt,2026-11-22T08:00:00Z,,mild,\n", "line 3, value: 'mild' is not a number"),
        (HEAD + "t,2026-11-22T08:00:00Z,,nan,\n", "'nan' is no measurement"),
        (HEAD + "t,2026-11-22T08:00:00Z,,1,\nt,2026-11-22T08:00:00Z,,2,\n", "is both 1 and 2 as issued at"),
        (HEAD + "".join(f"v{k},2026-11-22T08:00:00Z,,1,\n" for k in range(17)), "'v16' is one more than 16 variables"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_covariates(written(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_covariates(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_covariates(tmp_path / "bytes.csv")


def test_a_backtest_shows_what_covariates_bring_and_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    hours = np.arange(24 * 80)
    heat = np.zeros(len(hours))
    for t in range(1, len(hours)):
        heat[t] = 0.98 * heat[t - 1] + rng.normal(0, 1)
    load = 500 + 100 * np.sin(2 * np.pi * hours / 24) + 25 * heat + rng.normal(0, 5, len(hours))
    start = datetime(2025, 3, 3, tzinfo=UTC)
    times = [f"{start + timedelta(hours=int(hour)):%Y-%m-%dT%H:%M:%SZ}" for hour in hours]
    recorded = written(
        tmp_path, "time,a\n" + "".join(f"{t},{v:.3f}\n" for t, v in zip(times, load, strict=True)), "load.csv"
    )
    rows = [f"heat,{times[k]},,{heat[k]:.3f}\n" for k in hours]
    for issue in range(0, len(hours), 12):
        rows += [
            f"heat,{times[k]},{times[issue]},{heat[k] + rng.normal(0, 0.5):.3f}\n"
            for k in range(issue + 1, min(issue + 37, len(hours)))
        ]
    said = read_covariates(written(tmp_path, "variable,valid_at,issued_at,value\n" + "".join(rows)))
    plain = wide_csv(recorded, options=Options(horizon=24, test_share=0.04))
    few = tuple(one for one in plain.models if one.name in {"profile", "calendar_ridge"})
    names = tuple(one.name for one in few)
    plain = replace(plain, models=few, candidates=names)
    without, beside = (evaluation.evaluate(one, lambda *_: None) for one in (plain, evaluation.informed(plain, said)))
    found = {(one.model, one.horizon): one.metrics["mae"] for one in beside.results}
    for one in without.results:
        if one.model in names:
            assert found[one.model, one.horizon] == one.metrics["mae"]
    assert found["calendar_ridge_informed", 24] < 0.4 * found["calendar_ridge", 24]
    assert found["selected", 24] < 0.4 * found["calendar_ridge", 24]


def test_a_recording_has_no_districts(tmp_path: Path) -> None:
    times = [f"2026-11-{day:02}T00:00:00Z" for day in range(1, 29)]
    recorded = written(tmp_path, "time,a\n" + "".join(f"{time},1\n" for time in times), "load.csv")
    said = read_covariates(written(tmp_path, HEAD + "event,2026-11-22T18:00:00Z,,1,mitte\n"))
    with pytest.raises(InputError, match="leave the district column empty"):
        evaluation.informed(wide_csv(recorded), said)


def test_schools_are_closed_beforehand_for_models_that_know_covariates() -> None:
    breaks = school_breaks_of([(date(2025, 2, 3), date(2025, 2, 14)), (date(2025, 4, 14), date(2025, 4, 25))])
    calendar = Calendar(school_breaks=breaks)
    start = datetime(2024, 12, 16, tzinfo=UTC)
    rng = np.random.default_rng(2)
    hours = np.arange(24 * 140)
    closed = calendar.school_breaks_at(to_us(start) // 86_400_000_000 + hours // 24)
    weekend = hours // 24 % 7 >= 5
    values = np.where(weekend, 60.0, np.where(closed, 80.0, 120.0)) + rng.normal(0, 2, len(hours))
    panel = Panel(names=("a",), values=values[None], start_us=to_us(start), step_seconds=3600, calendar=calendar)
    known = covariates_of(with_schools({}, calendar), [None])
    assert known is not None
    assert known.names == (SCHOOL_BREAK,)
    wrong = []
    for model in (Profile(), Informed(plain=Profile())):
        end = (datetime(2025, 4, 14, tzinfo=UTC) - start).days * 24  # a Monday, the first day of the second holidays
        cut = replace(panel, covariates=known).cut(end)
        wrong.append(np.abs(model.fit(cut, 24).forecast(cut, 24)[0] - 80).mean())
    assert wrong[1] < 0.5 * wrong[0]
    first = (datetime(2025, 2, 3, tzinfo=UTC) - start).days * 24  # of the first holidays ever seen nothing is known
    cut = replace(panel, covariates=known).cut(first)
    made = [model.fit(cut, 24).forecast(cut, 24) for model in (Profile(), Informed(plain=Profile()))]
    assert made[0] == pytest.approx(made[1], abs=1)
    assert with_schools({}, Calendar()) == {}
