"""Day-ahead from local midnight, across summer time, on a small file in the form of the GB load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.errors import InputError
from services.forecasting.datasets.gb_load import gb_load
from services.forecasting.datasets.recording import Options


def write(path: Path, days: int) -> Path:
    stamps = np.datetime64("2012-12-31T23:00", "us") + np.arange(48 * days) * np.timedelta64(30, "m")
    kept = np.arange(len(stamps)) // 48 != 100  # a day that is not in the file
    load = np.arange(len(stamps), dtype=np.float64)
    table = pa.table({"time_utc": stamps[kept], "load_mw": load[kept], "temperature_c": -load[kept]})
    pq.write_table(table, path / "gb_load.parquet")
    return path


def test_origins_are_local_midnights_and_missing_days_are_missing(tmp_path: Path) -> None:
    found = gb_load(write(tmp_path, 1200), "day-ahead", Options())
    panel, protocol = found.panel, found.protocol
    assert panel.start_us == np.datetime64("2013-01-01T00:00", "us").astype(np.int64)
    assert np.isnan(panel.values[0]).sum() == 48
    assert np.isnan(panel.values[0, 4800:4848]).all()
    assert len(protocol.test) == 365
    assert set(np.diff(protocol.test)) == {46, 48, 50}  # the days on which clocks change have 23 and 25 hours
    assert protocol.test[-1] + 48 <= panel.length
    assert protocol.validation[-1] < protocol.test[0]


def test_the_temperature_is_known_when_its_protocol_says(tmp_path: Path) -> None:
    folder = write(tmp_path, 1200)
    plain = gb_load(folder, "day-ahead", Options())
    assert plain.panel.covariates is None
    origin, target = (plain.panel.times_us(int(plain.protocol.test[0]) + ahead, 1) for ahead in (0, 24))
    for protocol, foreseen in (("observed-temperature", False), ("known-temperature", True)):
        found = gb_load(folder, protocol, Options())
        assert found.protocol.description != plain.protocol.description
        assert "load_ridge_informed" in found.candidates
        assert found.panel.covariates is not None
        value, said = found.panel.covariates.known(0, 0, target, origin)
        column = int(plain.protocol.test[0]) + 24 - (0 if foreseen else 48)
        assert said.tolist() == [foreseen]
        assert value.tolist() == [-plain.panel.values[0, column]]


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a table"):
        gb_load(tmp_path, "day-ahead", Options())
    with pytest.raises(InputError, match="three years"):
        gb_load(write(tmp_path, 400), "day-ahead", Options())
