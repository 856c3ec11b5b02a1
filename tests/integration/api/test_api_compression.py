"""Documents travel small to whoever can unpack them; tables that stream, and Parquet, travel as they are."""

from __future__ import annotations

import gzip

from starlette.testclient import TestClient

from services.storage.database import Connection

TABLE = "/api/v1/observations?from=2026-11-20T00:00Z&to=2026-11-21T00:00Z"


def test_documents_are_compressed_for_who_asks_and_tables_that_stream_are_not(
    client: TestClient, city: Connection
) -> None:
    plain = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", "/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        raw = b"".join(answer.iter_raw())
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 4
    for form in ("csv", "parquet"):
        table = client.get(f"{TABLE}&format={form}", headers={"Accept-Encoding": "gzip"})
        assert table.status_code == 200
        assert len(table.content) > 1_024
        assert "content-encoding" not in table.headers
