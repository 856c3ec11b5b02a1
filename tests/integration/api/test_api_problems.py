"""Every error of the API is a problem document whose type explains itself."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from services.api.exports import MOST_AT_ONCE
from services.api.gate import MOST_QUERY_BYTES
from services.api.problems import PROBLEMS
from services.storage import audit
from services.storage.database import Connection

OBSERVATIONS = "/api/v1/observations"
INJECTIONS = (
    "'; DROP TABLE sensing.traffic; --",
    "1 OR 1=1",
    "\u0000",
    "%00",
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "\U0001f600" * 40,
    "NaN",
    "-1e309",
    "9" * 500,
)

PLACES = {
    "sensor": "tr-001a",
    "layer": "districts",
    "document": "record",
    "plan": "presence",
    "day": "2026-11-20",
}
"""What stands in the paths."""


def problem(client: TestClient, status: int, url: str, **request: object) -> str:
    """The detail of the problem that a request leads to, after looking at its form."""
    answer = client.request(str(request.pop("method", "GET")), url, **request)  # type: ignore[arg-type]  # passed on
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert client.get(document["type"]).json()["status"] == status
    return str(document["detail"])


def test_paths_methods_and_formats(client: TestClient) -> None:
    assert "/api/v1/nope" in problem(client, 404, "/api/v1/nope")
    problem(client, 404, "/nope")
    problem(client, 404, "/problems/nope")
    problem(client, 405, "/api/v1/sensors", method="DELETE")
    problem(client, 405, OBSERVATIONS, method="POST", json={"flow_vph": 1})
    assert "csv" in problem(client, 406, OBSERVATIONS, headers={"Accept": "image/png"})


def test_the_head_of_whatever_can_be_read_can_be_asked_for(client: TestClient, owner: Connection) -> None:
    for path in ("/docs", "/api/v1/sensors", "/api/v1/sensors?format=csv", "/api/v1/nope"):
        head, whole = client.head(path), client.get(path)
        assert head.status_code == whole.status_code
        assert head.content == b""
        assert head.headers["content-type"] == whole.headers["content-type"]
    exports = audit.newest(owner, most=10, action="export")
    assert len(exports) == 1, "no file left with a head"


def test_limits(client: TestClient) -> None:
    problem(client, 413, OBSERVATIONS, method="POST", content=b"x" * 100_000)
    problem(client, 411, OBSERVATIONS, method="POST", content=iter([b"x"]))
    problem(client, 414, OBSERVATIONS, params={"sensor": "x" * MOST_QUERY_BYTES})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: input should be greater than or equal to 1, not '0'"),
        ("limit=10001", "limit"),
        ("kind=probe", "kind: input should be 'traffic', 'energy' or 'environment', not 'probe'"),
        ("resolution=day", "resolution"),
        ("sensors=tr-001a", "did you mean 'sensor'?"),
        ("from=yesterday", "from='yesterday' is not a time"),
        ("from=2026-11-20T08:00:00", "no time zone"),
        ("from=2026-11-21&to=2026-11-20", "must be before"),
        ("from=0001-01-01", "outside 1970"),
        ("cursor=bm90LWpzb24", "follow the `next` link"),
        ("format=xlsx", "format"),
    ],
)
def test_bad_parameters_are_named_in_words(client: TestClient, query: str, words: str) -> None:
    assert words in problem(client, 422, f"{OBSERVATIONS}?{query}")


def test_a_cursor_of_another_query_is_refused(client: TestClient, city: Connection) -> None:
    following = client.get("/api/v1/sensors", params={"limit": "1"}).json()["next"]
    assert "another query" in problem(client, 422, following + "&kind=energy")


def test_an_error_inside_shows_nothing_and_is_numbered(client: TestClient, owner: Connection) -> None:
    owner.execute("ALTER TABLE sensing.sensor RENAME TO secret_name")
    answer = client.get("/api/v1/sensors")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"]
    assert "secret" not in answer.text
    assert "sensing" not in answer.text


def test_the_log_has_the_path_but_no_query_value(client: TestClient, logs: list[MutableMapping[str, Any]]) -> None:
    client.get("/api/v1/sensors", params={"q": "my-secret-street"})
    (line,) = [line for line in logs if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/sensors", 200)
    assert "secret" not in str(line)


def test_a_slow_query_is_stopped_and_says_so(client: TestClient, city: Connection) -> None:
    city.execute("ALTER TABLE sensing.district RENAME TO district_table")
    city.execute("CREATE VIEW sensing.district AS SELECT d.* FROM sensing.district_table d, pg_sleep(30)")
    city.execute("GRANT SELECT ON sensing.district TO arterial_api")
    assert "ask for less" in problem(client, 503, "/api/v1/map/districts")


def test_too_many_exports_at_once(client: TestClient, city: Connection) -> None:
    exports = client.app.state.exports  # type: ignore[attr-defined]  # the FastAPI application
    running = [exports.one_of_few(iter([1, 2])) for _ in range(MOST_AT_ONCE)]
    for one in running:
        next(one)
    assert "4 exports" in problem(client, 429, f"{OBSERVATIONS}?format=csv")
    for one in running:
        one.close()
    assert client.get(f"{OBSERVATIONS}?format=csv").status_code == 200


def test_injections_are_values_or_problems_never_errors(client: TestClient, city: Connection) -> None:
    parameters = [
        (path.format_map(PLACES), parameter["name"])
        for path, methods in client.get("/api/v1/openapi.json").json()["paths"].items()
        for parameter in methods["get"].get("parameters", [])
        if parameter["in"] == "query"
    ]
    assert len(parameters) > 40
    for payload in INJECTIONS:
        for path, name in parameters:
            answer = client.get(path, params={name: payload})
            assert answer.status_code in {200, 404, 406, 422}, (path, name, payload, answer.text)
        assert client.get("/api/v1/sensors/" + quote(payload, safe="")).status_code in {404, 422}, payload
    row = city.execute("SELECT count(*) FROM sensing.traffic").fetchone()
    assert row == (576,)


def test_headers_keep_browsers_from_sniffing_and_framing(client: TestClient) -> None:
    for path in ("/api/v1/sensors", "/docs", "/api/v1/nope"):
        headers = client.get(path, headers={"Origin": "https://elsewhere.example"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_every_error_class_has_a_documented_type() -> None:
    from services.errors import ArterialError

    for error in ArterialError.__subclasses__():
        assert PROBLEMS[error("x").slug].status == error.http_status
