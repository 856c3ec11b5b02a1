"""What was released about people, through the API: how it was made, how sure it is, and what was withheld."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.testclient import TestClient

from services.storage import releases
from services.storage.database import Connection

START = datetime(2026, 11, 20, tzinfo=UTC)


def test_presence_says_what_was_withheld_and_why(client: TestClient, released: Connection) -> None:
    page = client.get("/api/v1/mobility").json()
    assert page["meta"]["count"] == 48
    assert page["meta"]["published_to"] == "2026-11-21T00:00:00Z"
    shown, withheld = page["data"][:2]
    assert (shown["vehicles"], shown["suppressed"], shown["reason"]) == (45, False, None)
    assert (shown["epsilon"], shown["threshold"], shown["ci95"]) == (0.5, 12, 8.0)
    assert (withheld["vehicles"], withheld["suppressed"]) == (None, True)
    assert "12" in withheld["reason"]


def test_presence_pages_and_polygons(client: TestClient, released: Connection) -> None:
    page = client.get("/api/v1/mobility", params={"limit": "7"}).json()
    seen = [(row["hour"], row["cell"]) for row in page["data"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [(row["hour"], row["cell"]) for row in page["data"]]
    assert len(seen) == 48
    assert seen == sorted(set(seen))
    feature = client.get("/api/v1/mobility", params={"format": "geojson"}).json()["features"][0]
    ring = feature["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert len(ring) == 7


def test_without_any_release_the_answer_is_empty_not_an_error(client: TestClient, city: Connection) -> None:
    page = client.get("/api/v1/mobility").json()
    assert page["data"] == []
    assert page["meta"]["published_to"] is None


def test_energy_by_district_from_feeders_and_from_releases(client: TestClient, released: Connection) -> None:
    released.execute(
        "INSERT INTO sensing.energy_hour SELECT id, '2026-11-20T08:00Z', 4, 4, 120.5, 130, NULL "
        "FROM sensing.sensor WHERE kind = 'energy'"
    )
    day = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
    (load,) = client.get("/api/v1/energy/districts", params=day).json()["data"]
    assert (load["district"], load["power_kw"], load["feeders"]) == ("mitte", 120.5, 1)
    (row,) = client.get(
        "/api/v1/energy/districts", params=day | {"measure": "households", "to": "2026-11-20T22:00Z"}
    ).json()["data"]
    assert (row["day"], row["energy_kwh"], row["ci95_kwh"], row["suppressed"]) == ("2026-11-20", 1234.5, 40.0, False)


def test_household_energy_pages_join_without_gap(client: TestClient, released: Connection) -> None:
    for code in ("nord", "ost"):
        released.execute("INSERT INTO sensing.district (code, name, outline) VALUES (%s, %s, '{}')", [code, code])
    key = "district_energy/2026-11-20"
    releases.publish_district_energy(released, key, START.date(), [(2, None, None, None), (3, 5.0, 30, 1.0)])
    params = {"measure": "households", "from": "2026-11-20T00:00Z", "to": "2026-11-20T22:00Z", "limit": "1"}
    page = client.get("/api/v1/energy/districts", params=params).json()
    seen = [row["district"] for row in page["data"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["district"] for row in page["data"]]
    assert seen == ["mitte", "nord", "ost"]


def test_the_ledger_is_public(client: TestClient, released: Connection) -> None:
    params = {"first_day": "2026-11-01", "last_day": "2026-11-30"}
    rows = client.get("/api/v1/privacy/ledger", params=params).json()["data"]
    assert {(row["domain"], row["epsilon"], row["spent"], row["cap"]) for row in rows} == {
        ("mobility", 0.5, 0.5, 1.0),
        ("household", 0.5, 0.5, 1.0),
    }


def test_the_map_is_geojson_that_is_sent_once(client: TestClient, city: Connection) -> None:
    first = client.get("/api/v1/map/districts")
    assert first.headers["content-type"] == "application/geo+json"
    assert first.json()["features"][0]["properties"] == {"district": "mitte", "name": "Mitte"}
    again = client.get("/api/v1/map/districts", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/v1/map/water").status_code == 404
    assert client.get("/api/v1/map/personal").status_code == 422


DAYS = {"first_day": "2026-11-19", "last_day": "2026-11-20"}


def test_every_released_number_says_how_sure_it_is_and_what_it_cost(client: TestClient, figures: Connection) -> None:
    page = client.get("/api/v1/releases/figures", params=DAYS | {"plan": "speeds"}).json()
    shown, withheld = page["data"][0], page["data"][2]
    assert (shown["measure"], shown["value"], shown["ci95"], shown["suppressed"]) == ("speed_kmh", 31.0, 3.5, False)
    assert (shown["epsilon"], shown["delta"], shown["threshold"], shown["rounding"]) == (0.3, 0.0, 498, 1)
    assert (shown["plan"], shown["plan_version"], shown["day"]) == ("speeds", "1", "2026-11-20")
    assert (withheld["value"], withheld["ci95"], withheld["suppressed"]) == (None, None, True)
    assert "498" in withheld["reason"]
    assert client.get("/api/v1/releases/figures", params=DAYS | {"plan": "trip_lengths"}).json()["data"] == []
    assert client.get("/api/v1/releases/figures", params=DAYS | {"plan": "peeks"}).status_code == 422


def test_released_numbers_page_without_gap_and_draw_their_cells(client: TestClient, figures: Connection) -> None:
    page = client.get("/api/v1/releases/figures", params=DAYS | {"limit": "3"}).json()
    seen = [(row["slot"], row["place"], row["measure"]) for row in page["data"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [(row["slot"], row["place"], row["measure"]) for row in page["data"]]
    assert len(seen) == 8
    assert seen == sorted(set(seen))
    features = client.get("/api/v1/releases/figures", params=DAYS | {"format": "geojson"}).json()["features"]
    assert len(features[0]["geometry"]["coordinates"][0]) == 7


def test_releases_are_listed_with_their_noise_and_price(client: TestClient, figures: Connection) -> None:
    (row,) = client.get("/api/v1/releases", params=DAYS).json()["data"]
    assert (row["plan"], row["mechanism"], row["noise_scale"], row["cells"], row["withheld"]) == (
        *("speeds", "discrete_laplace", 80.0, 4, 2),
    )
    assert client.get("/api/v1/releases", params={"first_day": "2026-01-01"}).status_code == 422
