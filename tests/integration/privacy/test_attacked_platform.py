"""The attacks that ask a running platform: two released days of generated people, the real roles, the real API."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import structlog
from typer.testing import CliRunner

from services.benchmarks import attacked
from services.benchmarks.attacked import Platform, fill
from services.cli import app
from services.privacy.attacks import smart_meter, suite
from services.privacy.attacks.ground import Ground
from services.settings import Settings
from services.storage.database import Connection, connect
from services.storage.red_team import complain, last_result, store_result


@pytest.fixture
def platform(settings: Settings, owner: Connection) -> Iterator[Platform]:
    ((folder,),) = owner.execute("SHOW data_directory").fetchall()
    with fill(settings, seed=1, many=800, database_log=Path(folder).parent / "postgres.log") as filled:
        yield filled


def run(platform: Platform, *names: str) -> dict[str, Any]:
    return suite.run(Ground(short=True, store=platform), suite.named(names), lambda _: None)


def test_nothing_is_gained_by_asking_often_searching_tables_or_looking_at_sizes_and_times(platform: Platform) -> None:
    document = run(platform, "averaging", "unicity", "side-channels")
    for attack in document["attacks"]:
        assert attack["control_passed"], attack["explanation"]
        assert attack["passed"], attack
    assert document["passed"]


def test_a_pseudonym_outside_schema_personal_is_found(platform: Platform, owner: Connection) -> None:
    owner.execute(
        "INSERT INTO sensing.layer (name, features) SELECT 'roads', to_jsonb(string_agg(encode(subject, 'hex'), ' ')) FROM personal.position"
    )
    assert not run(platform, "unicity")["passed"]


def test_traces_in_logs_and_backups_are_found(
    platform: Platform, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = Ground(short=True, store=platform)

    def traces() -> tuple[bool, float]:
        (document,) = suite.run(ground, suite.named(["unicity"]), lambda _: None)["attacks"]
        assert document["control_passed"], document["explanation"]
        return document["passed"], document["advantage"]

    with monkeypatch.context() as careless:
        careless.setattr(attacked, "BACKUP", ("--format=custom",))
        passed, everything = traces()
    assert not passed
    assert everything == len(platform.marks)

    digits, cell = platform.marks[1][1].decode(), platform.marks[-1][0].decode()
    complain(owner, digits)
    structlog.get_logger().info("position", cell=int(cell), subject=platform.marks[2][0])
    assert traces() == (False, 3)  # one from the database, two from the services; lines planted as a control are none


def test_what_ingest_logs_of_good_and_bad_messages_is_searched(platform: Platform) -> None:
    said = dict(platform.logs())["log of ingest"]
    lines = [json.loads(line) for line in said.splitlines()]
    assert "ingest has started" in {line["event"] for line in lines}
    refused = [line["messages"] for line in lines if line["event"] == "messages became dead letters"]
    assert sum(refused) == 100  # five of each of twenty devices, in as many batches as it took
    assert [name for name, line in platform.planted() if line] == [
        "log of ingest",
        *["log of the services"] * 2,
        "log of the database",
    ]
    assert dict(platform.logs())["log of ingest"] == said  # without what was planted


def test_the_searched_backup_is_the_documented_one() -> None:
    handbook = Path(__file__).parents[3] / "deploy" / "README.md"
    (line,) = [line for line in handbook.read_text(encoding="utf-8").splitlines() if line.startswith("pg_dump ")]
    assert tuple(word for word in shlex.split(line) if word.startswith("--")) == attacked.BACKUP


def test_unions_of_spans_are_the_sums_of_their_parts(platform: Platform) -> None:
    def rows(first: int, last: int) -> list[dict[str, Any]]:
        start, end = (f"{platform.start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}" for hour in (first, last))
        return list(json.loads(platform.ask(f"/api/v1/mobility?from={start}&to={end}&limit=10000").body)["data"])

    whole = rows(0, 24)
    for cut in (1, 7, 12, 23):
        assert rows(0, cut) + rows(cut, 24) == whole


def test_the_newest_result_is_kept_and_read_by_the_api_role(settings: Settings, owner: Connection) -> None:
    assert last_result(owner) is None
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as jobs:
        store_result(jobs, {"passed": True, "attacks": []})
        store_result(jobs, {"passed": False, "attacks": [{"name": "averaging"}]})
        store_result(jobs, {"passed": True, "attacks": [{"name": "sybil-isolation"}], "scheduled": True})
    with connect(settings.role_dsn("api"), application="test", autocommit=True) as api:
        found, weekly = last_result(api), last_result(api, scheduled=True)
    assert found is not None
    assert weekly is not None
    assert weekly.passed
    assert not found.passed
    assert found.result["attacks"] == [{"name": "averaging"}]


def test_a_whole_run_is_kept_where_there_is_a_database(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATABASE_PASSWORD_JOBS", unquote(urlsplit(settings.role_dsn("jobs")).password or ""))
    monkeypatch.setattr(suite, "ATTACKS", suite.named(["smart-meter-membership"]))
    done = CliRunner().invoke(app, ["privacy", "attack", "--short", "--json"])
    assert json.loads(done.stdout)["stored"]
    found = last_result(owner)
    assert found is not None
    assert [attack["name"] for attack in found.result["attacks"]] == ["smart-meter-membership"]


def test_the_command_prints_one_document_and_fails_with_the_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["privacy", "attack", "--short", "--json", "--only", "smart-meter-membership"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    (attack,) = json.loads(done.stdout)["attacks"]
    assert {"name", "control", "control_passed", "advantage", "limit", "epsilon_hat", "passed"} <= set(attack)

    monkeypatch.setattr(smart_meter, "_CONTROL", 2.0)
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_an_unknown_attack_is_refused_with_those_there_are() -> None:
    done = CliRunner().invoke(app, ["privacy", "attack", "--only", "guessing"])
    assert done.exit_code != 0
