"""What will be released, through the API: quantiles of released numbers, and why some places have none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from services.storage.database import Connection

URL = "/api/v1/releases/forecasts"
AT = {"issued_at": "2026-11-20T12:00:00Z"}


def test_rows_are_slots_that_are_forecast_and_reasons_of_those_that_are_not(
    client: TestClient, ahead: Connection
) -> None:
    page = client.get(URL, params=AT).json()
    near, far, withheld = page["data"]
    assert [(row["target_at"], row["q05"], row["q50"]) for row in (near, far)] == [
        ("2026-11-20T06:00:00Z", 40.0, 70.0),
        ("2026-11-20T07:00:00Z", 140.0, 170.0),
    ]
    assert (near["plan"], near["measure"], near["state"], near["ci95"]) == ("presence", "vehicles", "normal", 8.0)
    assert (near["last_day"], near["release_key"], near["epsilon"]) == ("2026-11-20", "presence/2026-11-20", 0.5)
    assert (withheld["target_at"], withheld["q50"], withheld["state"]) == (None, None, None)
    assert withheld["reason"] == "shown on only 3 days"


def test_pages_join_without_gap_and_cells_have_their_shape(client: TestClient, ahead: Connection) -> None:
    page = client.get(URL, params=AT | {"limit": "1"}).json()
    seen = [(row["place"], row["target_at"]) for row in page["data"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [(row["place"], row["target_at"]) for row in page["data"]]
    assert len(seen) == len(set(seen)) == 3
    features = client.get(URL, params=AT | {"format": "geojson"}).json()["features"]
    assert [len(feature["geometry"]["coordinates"][0]) for feature in features] == [7, 7, 7]


def test_what_was_known_before_the_release_is_nothing(client: TestClient, ahead: Connection) -> None:
    assert client.get(URL, params={"issued_at": "2026-11-20T00:59:00Z"}).json()["data"] == []
    assert client.get(URL, params=AT | {"plan": "district_load"}).json()["data"] == []


@pytest.mark.parametrize("params", [{"plan": "speeds"}, {"places": "x"}, {"issued_at": "soon"}])
def test_what_cannot_be_asked_is_a_problem(client: TestClient, ahead: Connection, params: dict[str, str]) -> None:
    answer = client.get(URL, params=params)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_the_scorecard_stands_beside_the_week_before(client: TestClient, ahead: Connection) -> None:
    ahead.execute("UPDATE forecast.released_score SET day = %s", [datetime.now(UTC).date()])
    (row,) = client.get(f"{URL}/scorecard").json()["data"]
    assert (row["plan"], row["days_ahead"], row["days"], row["n"]) == ("presence", 1, 1, 10)
    assert (row["mae"], row["naive_mae"], row["wape"], row["pinball"]) == (5.0, 8.0, 0.05, 2.0)
    assert (row["coverage_50"], row["coverage_80"], row["coverage_90"]) == (0.5, 0.8, 0.9)
    assert row["skill"] == pytest.approx(1 - 50 / 80)
    assert client.get(f"{URL}/scorecard", params={"plan": "district_load"}).json()["data"] == []
