"""A heartbeat is committed behind what was received before it, is its own process's, and its absence is explained."""

from __future__ import annotations

import pytest

from ingest.broker_figures import BrokerFigures
from ingest.heartbeat import Heartbeat
from ingest.packets import Stream, publish_once


def sent(heartbeat: Heartbeat) -> bytes:
    payload = heartbeat.beat()
    assert payload is not None
    return payload


def test_a_beat_waits_for_every_message_received_before_it() -> None:
    heartbeat = Heartbeat("a", 10)
    heartbeat.hear(sent(heartbeat), received=5)
    assert heartbeat.beat() is None, "the next is due in ten seconds"
    assert heartbeat.ready(4) is None
    assert heartbeat.ready(5) == 1
    assert heartbeat.age_s() is None
    heartbeat.committed(1)
    assert heartbeat.age_s() is not None
    assert heartbeat.ready(5) is None
    assert heartbeat.trouble() is None


@pytest.mark.parametrize("payload", [b"", b"1", b"someone 1", b"\xff\xfe", b" " * 100, b"9" * 5_000])
def test_what_others_send_there_means_nothing(payload: bytes) -> None:
    heartbeat = Heartbeat("a", 10)
    own = sent(heartbeat).split(b" ")[0]
    for forged in (payload, own + b" 7", own + b" " + b"9" * 5_000, own + b" -1"):
        heartbeat.hear(forged, received=0)
    assert heartbeat.ready(100) is None


def test_the_reason_says_where_beats_stay() -> None:
    heartbeat = Heartbeat("a/b+#", 10)
    assert heartbeat.topic == "arterial/heartbeat/a%2Fb%2B%23"
    assert "no session" in str(heartbeat.trouble())
    payload = sent(heartbeat)
    assert "does not come back from the broker" in str(heartbeat.trouble())
    heartbeat.hear(payload, received=1)
    assert "waits for the database" in str(heartbeat.trouble())
    assert Heartbeat("a", 0).beat() is None
    assert Heartbeat("a", 0).trouble() is None


@pytest.mark.parametrize("is_5", [True, False])
def test_what_is_about_the_path_is_turned_aside(is_5: bool) -> None:
    stream = Stream(is_5=is_5)
    topics = ["arterial/heartbeat/a", "$SYS/broker/uptime", "city/v1/traffic/a/telemetry", "arterial/heartbeats"]
    arrived = stream.feed(b"".join(publish_once(topic, b"x", is_5=is_5) for topic in topics * 2))
    assert [message.topic for message in arrived.messages] == topics[2:] * 2
    assert [message.topic for message in arrived.asides] == topics[:2] * 2
    assert arrived.mids == [0] * 4


def test_drops_are_counted_from_the_first_figure_and_through_a_restart_of_the_broker() -> None:
    figures = BrokerFigures()
    for text in (b"7", b"7", b"10", b"nonsense", b"2", b"-5", b"9" * 30):
        figures.hear("$SYS/broker/publish/messages/dropped", text)
        if text == b"2":
            assert (figures.newest["dropped"], figures.seen_dropped) == (2, 3 + 2)
    figures.hear("$SYS/broker/uptime", b"17 seconds")
    figures.hear("$SYS/broker/elsewhere", b"1")
    assert figures.newest["uptime"] == 17
    assert figures.newest.keys() == {"dropped", "uptime"}
