"""What the mirror makes of the answers of a server; each answer is one that InfluxDB v2 documents."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from scripted_server import Asked, Reply, scripted
from structlog.testing import capture_logs

from ingest.influx import sending
from ingest.influx.delivery import Server
from ingest.influx.sending import Sender
from services.settings import Settings, load_settings

TOKEN = "example-token-that-must-not-be-logged"
LINES = [f"traffic,sensor=s{number} flow_vph={number}.0,quality=1i 1790000000000000" for number in range(64)]


def settings_for(url: str) -> Settings:
    return load_settings(
        {"influx_url": url, "influx_token": SecretStr(TOKEN), "influx_org": "city", "influx_bucket": "copy"},
        join_running=False,
    )


class Outcome:
    def __init__(self, folder: Path) -> None:
        self.stop = threading.Event()
        self.refused_file = folder / "refused.lp"
        self.logs: list[dict[str, object]] = []


@pytest.fixture
def outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outcome]:
    monkeypatch.setattr(sending, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(sending, "_LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(sending, "_BLOCKED_PAUSE_S", 0.1)
    found = Outcome(tmp_path)
    with capture_logs() as logs:
        yield found
        assert TOKEN not in repr(logs)


def send(outcome: Outcome, answer: Callable[[Asked], Reply], lines: list[str] = LINES) -> tuple[Sender, list[Asked]]:
    with scripted(answer) as server, Server(settings_for(server.url)) as target, capture_logs() as logs:
        sender = Sender(target, refused_file=outcome.refused_file, stop=outcome.stop)
        outcome.logs = logs  # type: ignore[assignment]  # structlog's event dicts
        assert sender.send(lines) is not outcome.stop.is_set()
        return sender, server.asked


def test_lines_go_to_the_v2_interface_packed_with_the_token(outcome: Outcome) -> None:
    sender, asked = send(outcome, lambda _: Reply())

    assert sender.written == 64
    assert asked[0].path == "/api/v2/write?org=city&bucket=copy&precision=us"
    assert asked[0].headers["Authorization"] == f"Token {TOKEN}"
    assert asked[0].headers["Content-Encoding"] == "gzip"
    assert asked[0].lines == LINES


def test_many_lines_go_in_several_requests_in_order(outcome: Outcome) -> None:
    lines = LINES * 200
    sender, asked = send(outcome, lambda _: Reply(), lines)

    assert [len(one.lines) for one in asked] == [5_000, 5_000, 2_800]
    assert [line for one in asked for line in one.lines] == lines
    assert sender.written == len(lines)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_line_that_is_refused_is_found_and_kept_and_all_others_arrive(outcome: Outcome, status: int) -> None:
    bad = {LINES[5], LINES[41]}
    arrived: list[str] = []

    def answer(request: Asked) -> Reply:
        if bad & set(request.lines):
            return Reply(status=status, body=b'{"code": "invalid", "message": "unable to parse"}')
        arrived.extend(request.lines)
        return Reply()

    sender, asked = send(outcome, answer)

    assert arrived == [line for line in LINES if line not in bad]
    assert (sender.written, sender.refused) == (62, 2)
    assert outcome.refused_file.read_text() == "".join(f"# unable to parse\n{line}\n" for line in LINES if line in bad)
    assert len(asked) < 30


def test_where_every_line_is_refused_it_does_not_ask_for_ever(outcome: Outcome) -> None:
    lines = LINES * 60
    sender, asked = send(outcome, lambda _: Reply(status=400, body=b"no"), lines)

    assert sender.refused == len(lines)
    assert len(asked) < 150
    assert [line for line in outcome.refused_file.read_text().splitlines() if line[0] != "#"] == lines


def test_what_the_server_dropped_of_a_partial_write_is_counted_once(outcome: Outcome) -> None:
    words = b'{"code": "unprocessable entity", "message": "failure writing points: partial write: field type conflict: '
    words += b'input field \\"quality\\" is type integer, already exists as type float dropped=3"}'
    sender, asked = send(outcome, lambda _: Reply(status=422, body=words))

    assert len(asked) == 1
    assert (sender.written, sender.refused) == (61, 3)


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        (401, b'{"code":"unauthorized","message":"unauthorized access"}', "set ARTERIAL_INFLUX_TOKEN"),
        (403, b'{"code":"forbidden","message":"insufficient permissions"}', "give it one"),
        (404, b'{"code":"not found","message":"bucket \\"copy\\" not found"}', "make the bucket"),
    ],
)
def test_what_only_a_person_can_mend_is_said_once_and_tried_again_slowly(
    outcome: Outcome, status: int, words: bytes, advice: str
) -> None:
    replies = [Reply(status=status, body=words)] * 3 + [Reply()]
    sender, asked = send(outcome, lambda _: replies.pop(0))

    assert sender.written == 64
    assert len(asked) == 4
    trouble = [line for line in outcome.logs if line["event"] == "there is trouble"]
    assert len(trouble) == 1
    assert advice in str(trouble[0]["reason"])
    assert [line["event"] for line in outcome.logs][-1] == "the trouble is over"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_is_left_alone_for_as_long_as_it_asks(outcome: Outcome, status: int, form: str) -> None:
    times: list[float] = []
    begun = time.time()

    def answer(_: Asked) -> Reply:
        times.append(time.time())
        if len(times) > 1:
            return Reply()
        after = format_datetime(datetime.fromtimestamp(begun, UTC) + timedelta(seconds=2), usegmt=True)
        return Reply(status=status, headers={"Retry-After": "1" if form == "seconds" else after})

    sender, _ = send(outcome, answer)

    assert sender.written == 64
    assert times[1] - begun >= 1.0


@pytest.mark.parametrize("status", [500, 502])
def test_trouble_of_the_server_is_waited_out(outcome: Outcome, status: int) -> None:
    replies = [Reply(status=status, body=b"<html>bad gateway</html>")] * 4 + [Reply()]
    sender, asked = send(outcome, lambda _: replies.pop(0))

    assert sender.written == 64
    assert [one.lines for one in asked] == [LINES] * 5


def test_waiting_ends_when_told_to_stop(outcome: Outcome) -> None:
    def answer(_: Asked) -> Reply:
        threading.Timer(0.1, outcome.stop.set).start()
        return Reply(status=503, headers={"Retry-After": "3600"})

    begun = time.monotonic()
    sender, _ = send(outcome, answer)

    assert time.monotonic() - begun < 3
    assert sender.written == 0


def test_a_server_that_is_not_there_is_waited_for(outcome: Outcome) -> None:
    with scripted(lambda _: Reply()) as server:
        url = server.url
    with Server(settings_for(url)) as target, capture_logs() as logs:
        sender = Sender(target, refused_file=outcome.refused_file, stop=outcome.stop)
        threading.Timer(0.3, outcome.stop.set).start()
        assert not sender.send(LINES)

    assert "does not answer" in str(logs[0]["reason"])
