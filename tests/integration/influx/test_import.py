"""History from InfluxDB, by files and by Flux queries.

There is no server here that answers Flux. The annotated CSV is therefore synthetic, written after the description of the
format in the InfluxDB v2 documentation ("Annotated CSV": three annotation lines before each table, tables of several
series, defaults for empty values), and a small web server answers `/api/v2/query` with it. What is not shown: that a real
InfluxDB understands the queries, which are compared with their wording instead.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scripted_server import Asked, Reply, Scripted, scripted
from typer.testing import CliRunner

from services.cli import app
from services.errors import ArterialError, InputError, UnavailableError
from services.settings import Settings
from services.storage.database import Connection

CASES = Path(__file__).resolve().parents[2] / "cases" / "influx"
MAPPING = str(CASES / "mapping.toml")
STORED = [
    ("mast-A1", "humidity_percent", datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 81.0),
    ("mast-A1", "temperature_c", datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 10.0),
    ("ring, north-1", "flow_vph", datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 820.0),
    ("ring, north-1", "flow_vph", datetime(2026, 11, 1, 8, 10, 0, 500_000, tzinfo=UTC), 900.5),
    ("ring, north-1", "speed_kmh", datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 48.28),
    ("ring, north-1", "speed_kmh", datetime(2026, 11, 1, 8, 10, 0, 500_000, tzinfo=UTC), 40.23),
    ("south-2", "flow_vph", datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 640.0),
    ("south-2", "flow_vph", datetime(2026, 11, 1, 8, 5, tzinfo=UTC), 660.0),
]


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, object]]:
    """The command, with the test's database and an empty data folder; its JSON document."""
    monkeypatch.chdir(tmp_path)
    for name in ("database_url", "database_password_ingest"):
        monkeypatch.setenv(f"ARTERIAL_{name.upper()}", getattr(settings, name).get_secret_value())
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ARTERIAL_INFLUX_TOKEN", "example-token")

    def command(*arguments: str) -> dict[str, object]:
        result = CliRunner().invoke(app, ["influx", "import", "--json", *arguments])
        if isinstance(result.exception, ArterialError):
            raise result.exception
        assert result.exit_code == 0, result.output
        document: dict[str, object] = json.loads(result.stdout)
        return document

    return command


def stored(owner: Connection) -> list[tuple[object, ...]]:
    return owner.execute(
        """
        SELECT s.code, v.name, t.observed_at, round(v.value::numeric, 2)::float8
        FROM (SELECT sensor_id, observed_at, 'flow_vph' AS name, flow_vph AS value FROM sensing.traffic
              UNION ALL SELECT sensor_id, observed_at, 'speed_kmh', speed_kmh FROM sensing.traffic) v
        JOIN sensing.traffic t USING (sensor_id, observed_at) JOIN sensing.sensor s ON s.id = v.sensor_id
        WHERE v.value IS NOT NULL
        UNION ALL SELECT s.code, o.quantity, o.observed_at, round(o.value::numeric, 2)::float8
        FROM sensing.observation o JOIN sensing.sensor s ON s.id = o.sensor_id ORDER BY 1, 2, 3
        """
    ).fetchall()


@pytest.mark.parametrize("name", ["annotated.csv", "export.lp"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_export_is_stored_once(
    run: Callable[..., dict[str, object]], owner: Connection, tmp_path: Path, name: str, packed: bool
) -> None:
    file = CASES / name
    if packed:
        file = tmp_path / f"{name}.gz"
        file.write_bytes(gzip.compress((CASES / name).read_bytes()))

    first = run("--mapping", MAPPING, "--file", str(file))
    again = run("--mapping", MAPPING, "--file", str(file))

    assert stored(owner) == STORED
    assert (first["new_rows"], again["new_rows"]) == (6, 0)
    assert first["refused"] == 1
    assert first["reasons"] == {"the field flow is the text 'broken', a number is expected": 1}
    assert owner.execute("SELECT count(*) FROM sensing.dead_letter").fetchone() == (0,)


def test_a_packed_file_that_ends_too_early_says_so(run: Callable[..., dict[str, object]], tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress((CASES / "export.lp").read_bytes())[:-9])
    with pytest.raises(InputError, match=r"cut\.gz cannot be read: Compressed file ended"):
        run("--mapping", MAPPING, "--file", str(file))


def test_readings_count_as_received_when_their_interval_ended(
    run: Callable[..., dict[str, object]], owner: Connection
) -> None:
    run("--mapping", MAPPING, "--file", str(CASES / "annotated.csv"))

    delays = owner.execute("SELECT DISTINCT received_at - observed_at FROM sensing.traffic").fetchall()
    assert delays == [(timedelta(seconds=300),)]


def test_a_dry_run_shows_the_first_readings_and_stores_nothing(
    run: Callable[..., dict[str, object]], owner: Connection
) -> None:
    shown = run("--mapping", MAPPING, "--file", str(CASES / "export.lp"), "--dry-run")

    assert shown["rows"][0] == {  # type: ignore[index]  # a list
        "kind": "traffic",
        "sensor": "ring, north-1",
        "observed_at": "2026-11-01T08:00:00+00:00",
        "flow_vph": 820.0,
        "speed_kmh": 30 * 1.609344,
    }
    assert (shown["points"], shown["readings"], shown["unmapped"], shown["refused"]) == (9, 6 - 1, 2, 1)
    assert stored(owner) == []


def part(query: str) -> bytes:
    """The lines of the synthetic answer that a query is about: those of its measurement within its range."""
    start, stop = (
        datetime.fromisoformat(moment)
        for moment in re.search(r"start: (\S+), stop: (\S+)\)", query).groups()  # type: ignore[union-attr]  # always there
    )
    measurement = re.search(r'r\._measurement == "(\w+)"', query)[1]  # type: ignore[index]  # always there
    kept = []
    for line in (CASES / "annotated.csv").read_text(encoding="utf-8").splitlines():
        moment = re.search(r"(?<=,)2026-11-01T08[^,]*", line)
        is_of_it = measurement in line or (measurement == "detector" and line.startswith(",,3"))
        if moment is None or (is_of_it and start <= datetime.fromisoformat(moment[0]) < stop):
            kept.append(line)
    return "\r\n".join([*kept, "", ""]).encode()


@pytest.fixture
def bucket() -> Iterator[Scripted]:
    def answer(request: Asked) -> Reply:
        body = part(json.loads(request.body)["query"])
        return Reply(status=200, body=body, headers={"Content-Type": "text/csv; charset=utf-8"})

    with scripted(answer) as server:
        yield server


FROM_BUCKET = ("--org", "city", "--bucket", "old", "--start", "2026-11-01T06:00Z", "--stop", "2026-11-01T12:00Z")


def test_a_bucket_is_stored_window_by_window(
    run: Callable[..., dict[str, object]], owner: Connection, bucket: Scripted
) -> None:
    done = run("--mapping", MAPPING, "--url", bucket.url, *FROM_BUCKET, "--every-hours", "1")

    assert stored(owner) == STORED
    assert done["windows"] == 6
    queries = [json.loads(one.body)["query"] for one in bucket.asked]
    assert len(queries) == 12
    assert queries[0] == (
        'from(bucket: "old") |> range(start: 2026-11-01T06:00:00Z, stop: 2026-11-01T07:00:00Z) '
        '|> filter(fn: (r) => r._measurement == "detector" and (r._field == "flow" or r._field == "speed"))'
    )
    assert queries[1].endswith(
        'r._measurement == "weather" and (r._field == "temperature" or r._field == "value") and r["provider"] == "city")'
    )
    assert bucket.asked[0].path == "/api/v2/query?org=city"
    assert bucket.asked[0].headers["Authorization"] == "Token example-token"


def test_a_run_that_was_broken_off_goes_on_where_it_was(
    run: Callable[..., dict[str, object]], owner: Connection
) -> None:
    broken = True

    def answer(request: Asked) -> Reply:
        query = json.loads(request.body)["query"]
        if broken and "start: 2026-11-01T08:10" in query:
            return Reply(status=500, body=b'{"code":"internal error","message":"out of memory"}')
        return Reply(status=200, body=part(query))

    with scripted(answer) as server:
        command = ("--mapping", MAPPING, "--url", server.url, "--org", "city", "--bucket", "old")
        span = ("--start", "2026-11-01T08:00Z", "--stop", "2026-11-01T08:30Z", "--every-hours", str(1 / 6))
        with pytest.raises(UnavailableError, match="out of memory"):
            run(*command, *span)
        assert 0 < len(stored(owner)) < len(STORED)
        broken = False
        done = run(*command, *span)
        assert (done["windows"], done["skipped_windows"]) == (2, 1)
        assert stored(owner) == STORED
        server.asked.clear()
        done = run(*command, *span)
        assert (done["windows"], done["skipped_windows"], server.asked) == (0, 3, [])
        done = run(*command, *span, "--again")
        assert (done["windows"], done["new_rows"]) == (3, 0)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=401, body=b'{"message":"unauthorized access"}'), "set ARTERIAL_INFLUX_TOKEN"),
        (Reply(status=404, body=b"404 page not found"), "InfluxDB 3 Core cannot be queried this way"),
        (Reply(status=400, body=b'{"message":"compilation failed"}'), "compilation failed"),
        (
            Reply(status=200, body=b"#datatype,string,string\r\n,error,reference\r\n,query terminated,897\r\n"),
            "terminated",
        ),
    ],
)
def test_a_refused_query_says_why(run: Callable[..., dict[str, object]], reply: Reply, reason: str) -> None:
    with scripted(lambda _: reply) as server, pytest.raises(InputError, match=reason):
        run("--mapping", MAPPING, "--url", server.url, *FROM_BUCKET)


def test_a_server_that_is_not_there_is_named(run: Callable[..., dict[str, object]]) -> None:
    with scripted(lambda _: Reply()) as server:
        url = server.url
    with pytest.raises(UnavailableError, match=f"{url} does not answer"):
        run("--mapping", MAPPING, "--url", url, *FROM_BUCKET)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"m,t=1 f=1 1\nm,t=1 f=\n", r"bad, line 2: 'f=' is not a field"),
        (b"#datatype,string\n#group,false\n", r"$"),
        (
            b"#datatype,string,long\n#group,false,false\n#default,_result,\n,result,table\n,x,no number\n",
            "is not annotated CSV",
        ),
        (b"time,flow\n2026,1\n", r"bad, line 1: .* is not line protocol"),
        (gzip.compress(b"m f=1 1\n", mtime=0)[:-9], r"bad, line 1: it is not UTF-8"),
        (b"\xff\xfe\x00", r"bad, line 1: it is not UTF-8"),
    ],
)
def test_a_file_that_is_neither_is_refused_with_the_place(
    run: Callable[..., dict[str, object]], tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "bad"
    file.write_bytes(content)
    if reason == "$":
        assert run("--mapping", MAPPING, "--file", str(file))["points"] == 0
    else:
        with pytest.raises(InputError, match=reason):
            run("--mapping", MAPPING, "--file", str(file))
