"""`/forecasts/congestion`: chances that sum to one, ratios and indices that belong together, as issued, and areas."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from starlette.testclient import TestClient

from services.domain import ForecastState, to_us
from services.storage import congestion, forecasts
from services.storage.congestion import NewCongestion
from services.storage.database import Connection
from services.storage.forecasts import NewRun, NewSeries

START = datetime(2026, 11, 20, tzinfo=UTC)
URL = "/api/v1/forecasts/congestion"
STEPS = 8
SPREAD = np.linspace(-15, 15, 7)[:, None]


@pytest.fixture
def jammed(city: Connection) -> Connection:
    """Two detectors with free flow 60 km/h, issued at 06:00 and 07:00: the first slows down by 2 km/h a step, the other flows."""
    ids: dict[str, int] = dict(city.execute("SELECT code, id FROM sensing.sensor WHERE kind = 'traffic'").fetchall())
    for hour, base in ((6, 50.0), (7, 40.0)):
        issued_at = START + timedelta(hours=hour)
        run = NewRun(
            issued_at=issued_at,
            kind="traffic",
            step_seconds=900,
            steps=STEPS,
            trained_from=START,
            trained_to=issued_at,
            data_hash="d",
            config_hash="c",
            seconds=0.1,
        )
        speeds = {"tr-001a": base - 2 * np.arange(STEPS), "tr-001b": np.full(STEPS, 60.0)}
        series, jams = [], []
        for code, speed in speeds.items():
            facts = {"sensor_id": ids[code], "first_target_us": to_us(issued_at)}
            for quantity, values in (("speed_kmh", speed + SPREAD), ("flow_vph", 300 + SPREAD + 0 * speed)):
                series.append(
                    NewSeries(
                        **facts,
                        quantity=quantity,
                        model="network",
                        state=ForecastState.NORMAL,
                        reason=None,
                        quantiles=values,
                    )
                )
            slow = np.clip((60 - speed) / 60, 0, 1)
            chances = np.stack([slow / 2, slow / 4, slow / 4, 1 - slow])
            jams.append(
                NewCongestion(
                    **facts,
                    step_seconds=900,
                    free_flow_kmh=60.0,
                    free_flow_estimated=False,
                    capacity_vph=1200.0,
                    chances=chances,
                )
            )
        with city.transaction():
            number = forecasts.store(city, run, series)
            assert number is not None
            congestion.store(city, number, issued_at, jams)
    return city


def test_chances_ratios_and_indices_of_a_row_belong_together(client: TestClient, jammed: Connection) -> None:
    answer = client.get(URL, params={"issued_at": "2026-11-20T07:30:00Z", "sensor": "tr-001a"}).json()
    assert len(answer["data"]) == STEPS
    for k, row in enumerate(answer["data"]):
        assert row["congested_chance"] + row["slow_chance"] + row["dense_chance"] + row["free_chance"] == pytest.approx(
            1
        )
        assert row["speed_ratio_q50"] == pytest.approx((40 - 2 * k) / 60)
        assert row["travel_time_index_q05"] == pytest.approx(1 / row["speed_ratio_q95"])
        ratios = [row[f"speed_ratio_q{level}"] for level in ("05", "10", "25", "50", "75", "90", "95")]
        assert all(low < high for low, high in pairwise(ratios))
        assert (row["saturation"], row["district"]) == (0.25, "mitte")
    assert answer["data"][0]["congestion"] == "free"
    assert answer["data"][0]["target_at"] == "2026-11-20T07:00:00Z"


def test_as_issued_and_for_a_range_of_targets(client: TestClient, jammed: Connection) -> None:
    asked = {"issued_at": "2026-11-20T06:59:00Z", "from": "2026-11-20T06:20:00Z", "to": "2026-11-20T07:00:00Z"}
    rows = client.get(URL, params=asked | {"district": "mitte"}).json()["data"]
    assert [(row["sensor"], row["target_at"][11:16]) for row in rows] == [
        (sensor, at) for sensor in ("tr-001a", "tr-001b") for at in ("06:15", "06:30", "06:45")
    ]
    assert rows[0]["speed_ratio_q50"] == pytest.approx(48 / 60)
    assert client.get(URL, params=asked | {"district": "elsewhere"}).json()["data"] == []


def test_pages_join_and_files_hold_every_row(client: TestClient, jammed: Connection) -> None:
    asked = {"issued_at": "2026-11-20T08:00:00Z"}
    everything = client.get(URL, params=asked).json()["data"]
    page = client.get(URL, params=asked | {"limit": 5}).json()
    joined = page["data"]
    while page["next"]:
        page = client.get(page["next"]).json()
        joined += page["data"]
    assert joined == everything
    assert len(everything) == 2 * STEPS
    lines = list(csv.DictReader(io.StringIO(client.get(URL, params=asked | {"format": "csv"}).text)))
    assert [line["target_at"] for line in lines] == [row["target_at"] for row in everything]


def test_areas_are_ratios_of_sums(client: TestClient, jammed: Connection) -> None:
    asked = {"issued_at": "2026-11-20T07:00:00Z", "from": "2026-11-20T07:00:00Z", "to": "2026-11-20T07:15:00Z"}
    (district,) = client.get(f"{URL}/areas", params=asked).json()["data"]
    (city,) = client.get(f"{URL}/areas", params=asked | {"by": "city"}).json()["data"]
    harmonic = 2 / (60 / 40 + 1)  # as many vehicles at 40 as at 60 km/h, free flow 60
    assert district["speed_ratio"] == pytest.approx(harmonic)
    assert district["travel_time_index"] == pytest.approx(1 / harmonic)
    assert (district["district"], city["district"], city["sensors"]) == ("mitte", None, 2)
    shares = [district[f"{name}_share"] for name in congestion.CLASSES]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(1 / 12)
