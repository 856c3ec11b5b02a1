"""What city and districts will draw and at most: as issued, in pages, and refused in words."""

from __future__ import annotations

from starlette.testclient import TestClient

from services.storage.database import Connection

FORECASTS = "/api/v1/energy/forecasts"
PEAKS = "/api/v1/energy/peaks"
AT = {"issued_at": "2026-11-20T12:00:00Z"}


def test_totals_come_city_first_and_as_known_at_a_time(client: TestClient, outlook: Connection) -> None:
    page = client.get(FORECASTS, params=AT).json()
    rows = page["data"]
    assert page["next"] is None
    assert [(row["scope"], row["district"]) for row in rows] == [("city", None)] * 4 + [("district", "mitte")] * 4
    assert rows[0]["target_at"] == "2026-11-20T07:00:00Z"
    assert (rows[1]["summed_kw"], rows[1]["q05"], rows[1]["q95"]) == (201, 171, 231)
    assert (rows[4]["name"], rows[4]["sensors"], rows[4]["state"]) == ("Mitte", 1, "normal")
    (earlier, *_) = client.get(FORECASTS, params={"issued_at": "2026-11-20T06:30:00Z"}).json()["data"]
    assert (earlier["issued_at"], earlier["summed_kw"]) == ("2026-11-20T06:00:00Z", 100)
    assert {row["scope"] for row in client.get(FORECASTS, params=AT | {"scope": "district"}).json()["data"]} == {
        "district"
    }
    assert client.get(FORECASTS, params={"issued_at": "2026-11-19T00:00:00Z"}).json()["data"] == []


def test_pages_join_without_gap(client: TestClient, outlook: Connection) -> None:
    for url, count in ((FORECASTS, 8), (PEAKS, 6)):
        whole = client.get(url, params=AT).json()["data"]
        assert len(whole) == count
        rows, following = [], f"{url}?limit=3&issued_at=2026-11-20T12:00:00Z"
        while following:
            page = client.get(following).json()
            rows += page["data"]
            following = page["next"]
        assert rows == whole


def test_peaks_say_how_likely_a_limit_is_exceeded(client: TestClient, outlook: Connection) -> None:
    rows = client.get(PEAKS, params=AT).json()["data"]
    assert [(row["scope"], row["day"]) for row in rows] == [
        (scope, day) for scope in ("city", "district", "sensor") for day in ("2026-11-20", "2026-11-21")
    ]
    feeder = rows[-2]
    assert (feeder["sensor"], feeder["district"], feeder["limit_kw"], feeder["limit_is"]) == (
        "en-001",
        "mitte",
        90,
        "allowed",
    )
    assert (feeder["chance_above"], feeder["so_far_kw"], feeder["likely_at"]) == (0.25, 60, "2026-11-20T17:15:00Z")
    assert (rows[0]["chance_above"], rows[0]["limit_kw"], rows[0]["likely_at"]) == (None, None, None)
    mine = client.get(PEAKS, params=AT | {"sensor": "en-001"}).json()["data"]
    assert mine == rows[-2:]
    inside = client.get(PEAKS, params=AT | {"district": "mitte"}).json()["data"]
    assert inside == rows[2:]


def test_what_is_asked_wrongly_is_refused_in_words(client: TestClient, outlook: Connection) -> None:
    unknown = client.get(PEAKS, params={"sensor": "en-01"})
    assert unknown.status_code == 404
    assert "did you mean 'en-001'" in unknown.json()["detail"]
    assert client.get(FORECASTS, params={"scope": "sensor"}).status_code == 422
