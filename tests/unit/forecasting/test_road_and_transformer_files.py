"""Small files of the layouts of Los-loop, I-5, ETT and METR-LA: what is read, which windows count, and what is refused."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from services.errors import InputError
from services.forecasting.datasets.catalogue import load
from services.forecasting.datasets.recording import Options, Recording


def read(name: str, path: Path, protocol: str | None = None, quantity: str | None = None) -> Recording:
    return load(name, path, protocol, Options(quantity=quantity))


@pytest.fixture
def los_loop(tmp_path: Path) -> Path:
    rows = [",".join(f"{60 + (k + step) % 7}" for k in range(3)) for step in range(2016)]
    (tmp_path / "los_speed.csv").write_text("\n".join(["a,b,c", *rows]), encoding="utf-8")
    return tmp_path


def test_los_loop_tests_the_windows_of_t_gcn(los_loop: Path) -> None:
    found = read("los_loop", los_loop, "t-gcn")
    # T-GCN's code: windows i of range(404 - 12 - h) over the last 404 rows, targets from row 1612 + 12 + i on
    assert found.protocol.test[0] == 1624
    counts = [(found.protocol.test + horizon <= found.panel.length).sum() for horizon in found.protocol.horizons]
    assert counts == [404 - 12 - horizon for horizon in (3, 6, 9, 12)]
    assert (found.protocol.fitted_to, found.protocol.train_end) == (1612, 1209)
    assert found.protocol.validation[-1] < 1612
    assert found.candidates == ("network",)
    (los_loop / "los_adj.csv").write_text("1,0.5,0\n0,1,0\n0,0,1\n", encoding="utf-8")
    found = read("los_loop", los_loop, "validated")
    assert found.candidates == ("network", "network_roads")
    assert found.models[-1].near == ((1,), (0,), ())  # type: ignore[attr-defined] # the model made from the roads
    assert found.protocol.fitted_to == found.protocol.train_end == 1411
    (los_loop / "los_adj.csv").write_text("1,0\n0,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="2 x 2 numbers for 3 sensors"):
        read("los_loop", los_loop)


def states(days: tuple[str, ...]) -> str:
    lines = ["date,timestamp,station_id,milepost,speed,flow,occupancy,is_observed"]
    for day in days:
        for step in range(288):
            stamp = f"{day}T{step // 12:02d}:{step % 12 * 5:02d}:00Z"
            lines.append(f"{day},{stamp},far,9.5,{100 + step % 3},1200,0.1,1")
            lines.append(f"{day},{stamp},near,2.5,90,{step},0.2,{int(step != 7)}")
    return "\n".join(lines)


def test_i_5_keeps_the_days_between_missing(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "I5S_train_detector_states_3days.csv.gz", "wt") as file:
        file.write(states(("2026-04-02", "2026-04-03", "2026-04-08")))
    found = read("i5_sandiego", tmp_path, "south", "flow")
    assert found.panel.names == ("near", "far")
    assert found.panel.length == 7 * 288
    assert np.isnan(found.panel.values[0, 7])
    assert found.panel.values[0, 8] == 8
    assert np.isnan(found.panel.values[:, 2 * 288 : 6 * 288]).all()
    assert (found.protocol.train_end, found.protocol.fitted_to) == (288, 576)
    assert (found.protocol.test[0], found.protocol.test[-1]) == (6 * 288 + 12, 7 * 288 - 12)
    with pytest.raises(InputError, match="speed, flow, occupancy"):
        read("i5_sandiego", tmp_path, "south", "noise")
    with pytest.raises(InputError, match="detector states"):
        read("i5_sandiego", tmp_path, "north")
    with gzip.open(tmp_path / "I5N_train_detector_states_3days.csv.gz", "wt") as file:
        file.write(states(("2026-04-02", "2026-04-03")))
    with pytest.raises(InputError, match="2 recorded days"):
        read("i5_sandiego", tmp_path, "north")


def test_ett_has_the_borders_of_the_tables(tmp_path: Path) -> None:
    hours = np.datetime64("2016-07-01T00") + np.arange(14_500)
    rows = [f"{str(hour).replace('T', ' ')}:00:00,{k % 24},{k % 7}" for k, hour in enumerate(hours)]
    path = tmp_path / "ETTh1.csv"
    path.write_text("\n".join(["date,HUFL,OT", *rows]), encoding="utf-8")
    found = read("ett", path)
    protocol = found.protocol
    assert (protocol.train_end, protocol.fitted_to, found.panel.length) == (8640, 8640, 14_400)
    assert (protocol.test[0], len(protocol.test)) == (11_520, 2880 - 96 + 1)
    assert (protocol.test + 720 <= found.panel.length).sum() == 2880 - 720 + 1
    assert protocol.units is not None
    assert protocol.units.centre[0] == pytest.approx(11.5)
    assert protocol.units.scale[1] == pytest.approx(2.0, rel=1e-3)
    assert {one.model for one in found.published} >= {"PatchTST/64", "DLinear"}
    other = path.with_name("ETTh2.csv")
    path.rename(other)
    assert read("ett", other).published == ()
    other.write_text("\n".join(["date,HUFL,OT", *rows[:500]]), encoding="utf-8")
    with pytest.raises(InputError, match="500 rows are too few"):
        read("ett", other)


def test_ett_in_quarters_of_an_hour_has_four_times_as_many_rows(tmp_path: Path) -> None:
    quarters = np.datetime64("2016-07-01T00:00") + 15 * np.arange(57_700)
    rows = [f"{str(quarter).replace('T', ' ')}:00,{k % 96},{k % 7}" for k, quarter in enumerate(quarters)]
    path = tmp_path / "ETTm1.csv"
    path.write_text("\n".join(["date,HUFL,OT", *rows]), encoding="utf-8")

    found = read("ett", path)

    assert (found.panel.step_seconds, found.panel.length, found.protocol.train_end) == (900, 57_600, 34_560)
    assert (found.protocol.test[0], found.protocol.season, found.published) == (46_080, 96, ())
    path.write_text("\n".join(["date,HUFL,OT", *rows[:900], *rows[901:]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"after 2016-07-10 08:45:00.* comes 2016-07-10 09:15:00.* are 0:15:00 apart"):
        read("ett", path)
    path.write_text("\n".join(["date,HUFL,OT", *rows[:9000:12]]), encoding="utf-8")
    with pytest.raises(InputError, match=r"rows are 3:00:00 apart.* try --dataset wide-csv"):
        read("ett", path)


def write_h5(path: Path, unit: str | None = None, key: str = "df") -> None:
    """A file as pandas writes a table in its fixed format."""
    rng = np.random.default_rng(1)
    values = rng.uniform(20, 70, (600, 4))
    values[10, 2] = 0
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group["axis0"] = np.array([b"773869", b"767541", b"767542", b"717447"])
        step = {"ns": 300 * 10**9, "us": 300 * 10**6}[unit or "ns"]
        group["axis1"] = 1_330_560_000 * step // 300 + np.arange(600) * step
        group["axis1"].attrs["kind"] = np.bytes_("datetime64" if unit is None else f"datetime64[{unit}]")
        group["block0_items"] = group["axis0"][:]
        group["block0_values"] = values


@pytest.mark.parametrize("unit", [None, "ns", "us"])
def test_metr_la_counts_windows_as_dcrnn_does(tmp_path: Path, unit: str | None) -> None:
    write_h5(tmp_path / "metr-la.h5", unit)
    found = read("metr_la", tmp_path)
    assert found.panel.names[0] == "773869"
    assert found.panel.start_us == 1_330_560_000_000_000
    assert np.isnan(found.panel.values[2, 10])
    # 600 - 23 = 577 windows: 404 to learn, 115 to test, the last of which predicts up to the last row
    assert found.protocol.train_end == 404 + 12
    assert len(found.protocol.test) == 115
    assert found.protocol.test[-1] == 600 - 12
    assert found.published[0].metrics.keys() == {"mae", "rmse", "mape"}


def test_pems_bay_has_another_key_and_what_is_no_table_is_refused(tmp_path: Path) -> None:
    write_h5(tmp_path / "pems-bay.h5", key="speed")
    assert read("pems_bay", tmp_path).panel.sensors == 4
    with h5py.File(tmp_path / "metr-la.h5", "w") as file:
        file["other"] = np.zeros(3)
    with pytest.raises(InputError, match="table of speeds"):
        read("metr_la", tmp_path)
    with pytest.raises(InputError, match="table of speeds"):
        read("metr_la", tmp_path / "none.h5")


@pytest.mark.parametrize(
    ("part", "place", "value", "reason"),
    [
        ("axis0", 1, b"773869", "two sensors have the same name"),
        ("axis1", 5, 0, "not in ascending order"),
        ("axis1", 599, 1_999_999_800 * 10**9, "one of the times wrong"),
        ("block0_values", 7, np.inf, "a number that is no speed"),
        ("block0_values", slice(None), 0.0, "no speed at all"),
    ],
)
def test_a_table_that_cannot_be_measured_is_refused(
    tmp_path: Path, part: str, place: Any, value: Any, reason: str
) -> None:
    write_h5(tmp_path / "metr-la.h5")
    with h5py.File(tmp_path / "metr-la.h5", "r+") as file:
        file["df"][part][place] = value
    with pytest.raises(InputError, match=reason):
        read("metr_la", tmp_path)


def test_without_h5py_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)  # as Python itself remembers that there is none
    with pytest.raises(InputError, match="pip install h5py"):
        read("metr_la", tmp_path / "metr-la.h5")
