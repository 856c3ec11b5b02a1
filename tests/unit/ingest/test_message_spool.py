"""Messages on disk: as they were received, for as long as they may be kept."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from ingest.message_spool import MessageSpool
from ingest.routing import Routing
from ingest.spool import Spool
from services.domain import Message
from services.settings import Settings, load_settings

HOUR_US = 3_600_000_000
POSITION = b'{"ts": 1, "lon": 13.4, "lat": 52.5}'


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return load_settings({"data_dir": tmp_path, "mqtt_client_id": "../city/ingest", "mqtt_topics": ("#",)})


def aged(hours: float, topic: str, payload: bytes) -> Message:
    return Message(topic=topic, payload=payload, received_us=int(time.time() * 1e6 - hours * HOUR_US))


def test_messages_come_back_as_they_were(chosen: Settings) -> None:
    messages = [
        Message(topic="city/v1/traffic/a/telemetry", payload=b"{}", received_us=5),
        Message(topic="not \udcff utf-8", payload=bytes(range(256)), received_us=6, retained=True),
        Message(topic="", payload=b"", received_us=-1, again=True),
    ]
    with MessageSpool(chosen, Routing.of(chosen)) as spool:
        end = spool.append(messages)
    with MessageSpool(chosen, Routing.of(chosen)) as spool:
        assert (len(spool), spool.taken_in) == (3, 3)
        waited = spool.read(most=10, start=None)
        assert (waited.messages, waited.lost, waited.end) == (messages, [], end)
        spool.append(messages)
        spool.advance(end)
        assert (len(spool), spool.taken_in) == (3, 6)
    assert spool.folder.parent == chosen.data_dir / "spool", "a client id cannot lead elsewhere"


def test_what_an_earlier_version_left_on_the_disk_is_read(chosen: Settings) -> None:
    with MessageSpool(chosen, Routing.of(chosen)) as spool:
        folder = spool.folder
    with Spool(folder, most_bytes=1_000_000) as older:
        older.append([msgspec.msgpack.encode((b"a/b", b"x", 5, True))])
    with MessageSpool(chosen, Routing.of(chosen)) as spool:
        assert spool.read(most=10, start=None).messages == [
            Message(topic="a/b", payload=b"x", received_us=5, retained=True)
        ]


@pytest.mark.parametrize("topic", ["city/v1/probe/tram-7/telemetry", "/hfp/v2/journey/x", "somewhere/else"])
def test_old_personal_messages_leave_the_disk(chosen: Settings, topic: str) -> None:
    """Also those whose payload alone shows it; a newer one, and what is not personal, stays."""
    public = b'{"ts": 1, "flow_vph": 820}'
    with MessageSpool(chosen, Routing.of(chosen)) as spool:
        spool.append([aged(47.5, topic, POSITION), aged(47.5, "city/v1/traffic/a/telemetry", public)])
        spool.append([aged(46.5, topic, POSITION)])
        spool.expire()
        content = b"".join(path.read_bytes() for path in spool.folder.glob("*.segment"))
        assert (content.count(POSITION), content.count(public)) == (1, 1)
        waited = spool.read(most=10, start=None)
        assert [message.payload for message in waited.messages] == [public, POSITION]
        assert len(waited.lost) == 1
        assert "erased" in waited.lost[0].rejected[0].reason
