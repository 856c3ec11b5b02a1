"""What a person reads after a typing mistake: a sentence without the words of Python, before any work is done."""

from __future__ import annotations

import re
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.errors import ArterialError, UnavailableError, reason

PYTHONS_WORDS = re.compile(r"Errno|codec|literal|Error\(|Traceback|0x")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("backtest", "--dataset", "wide-csv", "--path", "{absent}"), "No such file or directory"),
        (("backtest", "--dataset", "wide-csv", "--path", "{folder}"), "Is a directory"),
        (("backtest", "--dataset", "wide-csv", "--path", "{bytes}"), "byte 3 is not UTF-8 text"),
        (("backtest", "--dataset", "berlin_mq", "--path", "{folder}"), "No such file or directory"),
        (("privacy", "plan", "--file", "{bytes}"), "byte 3 is not UTF-8 text"),
        (("privacy", "rules", "{counts}", "--rule", "15/15"), "line 3: count must be a whole number"),
        (("privacy", "access", "--purpose", "mobility", "--device", "a", "--token-file", "{absent}"), "No such file"),
        (("privacy", "attack", "--only", "unicity", "--meters", "{bytes}"), "is not a parquet file"),
        (("audit", "verify", "--checkpoint", "{absent}"), "No such file or directory"),
        (("audit", "verify", "--log", "{absent}"), "No such file or directory"),
        (("audit", "list", "--action", "nope"), "release.charged"),
        (("reconcile", "--from", "2026-11-22", "--to", "2026-11-01"), "nothing would be compared"),
        (("reconcile", "--from", "2026-11-22T08:00+02:00", "--to", "2026-11-22T06:00"), "nothing would be compared"),
        (("reconcile", "--from", "yesterday"), "--from 'yesterday' is not a time: write it like 2026-11-22T08:00:00Z"),
        (("forecast", "run", "--at", "8 o'clock"), "write it like 2026-11-22T08:00:00Z"),
        (("forecast", "released", "--at", "2026-11-31"), "--at '2026-11-31' is not a time"),
        (("forecast", "explain", "--sensor", "x", "--at", "0001-01-01T00:00+14:00"), "is not a time"),
        (("privacy", "retention", "--at", "soon"), "--at 'soon' is not a time"),
        (("influx", "resend", "--start", "2026-13-01"), "--start '2026-13-01' is not a time"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    files = {name: tmp_path / name for name in ("absent", "folder", "bytes", "counts")}
    files["folder"].mkdir()
    files["bytes"].write_bytes(b"ab\xe7\xff")
    files["counts"].write_text("row,count\nA,5\nB,x\n", encoding="utf-8")
    done = run(*(one.format(**files) for one in arguments))
    assert isinstance(done.exception, ArterialError), done.output
    assert expected in str(done.exception)
    assert not PYTHONS_WORDS.search(str(done.exception))


@pytest.mark.parametrize(
    ("arguments", "setting", "address"),
    [
        (("simulate",), "ARTERIAL_MQTT_URL", "mqtt://127.0.0.1:{port}"),
        (("migrate",), "ARTERIAL_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1:{port}/city"),
    ],
)
def test_a_server_that_does_not_answer_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], setting: str, address: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv(setting, address.format(port=port))
        done = run(*arguments)
    assert isinstance(done.exception, UnavailableError), done.output
    said = str(done.exception)
    assert f"127.0.0.1:{port}" in said
    assert "; start it, or correct" in said
    assert "secret" not in said
    assert not PYTHONS_WORDS.search(said)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("up", "--broker", "rabbit"), "mosquitto"),
        (("up", "--port", "70000"), "--port"),
        (("serve", "--port", "0"), "--port"),
    ],
)
def test_an_impossible_option_is_refused_by_its_own_name(arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert expected in done.output


def test_the_version_is_told_for_reports_of_faults() -> None:
    done = run("--version")
    assert done.exit_code == 0
    assert done.output == f"arterial {version('arterial')}\n"


def test_errors_that_explain_themselves_are_left_alone() -> None:
    assert reason(ValueError("the day is over\nmore")) == "the day is over"
    assert reason(KeyError("data")) == "it has no 'data'"
    assert reason(ValueError()) == "ValueError"
