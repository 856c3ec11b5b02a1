"""What must hold for any bytes: a function per place where bytes of strangers come in, and the seeds to begin from.

Each takes one input and raises when a promise does not hold. They know nothing of a fuzzer, so any input that was ever
found can be played again without one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from structlog.testing import capture_logs

from ingest.decoders.catalogue import DIALECTS
from ingest.decoders.checks import Limits
from ingest.decoders.memory import Memory
from ingest.decoding import decode_all
from ingest.packets import Arrived, MalformedPacketError, Stream
from ingest.routing import Routing
from ingest.spool import Spool
from ingest.spool_frames import frames
from services.domain import Message

NOW_US: Final = 1_795_338_000_000_000  # 2026-11-22T09:00:00Z
CASES: Final = Path(__file__).parents[1] / "cases" / "decode"
MOST_MESSAGES: Final = 6
MOST_READS: Final = 1_000
SCRATCH: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None
MOST_SECONDS: Final = 2.0
LONGEST_REASON: Final = 500
BOMBS: Final = {
    "arrays-in-arrays": b"[" * 60_000,
    "objects-in-objects": b'{"a":' * 12_000,
    "closed-arrays-in-arrays": b"[" * 30_000 + b"]" * 30_000,
    "a-number-of-60000-digits": b'{"ts":' + b"9" * 60_000 + b"}",
    "a-fraction-of-60000-digits": b'[{"ts":1795334400000,"v":0.' + b"9" * 60_000 + b"}]",
    "an-exponent": b'{"ts":1795334400000,"flow_vph":1e400,"value":1e400,"v":-1e400}',
    "a-huge-exponent": b'{"ts":1795334400000,"value":"1e999999999"}',
    "nul": b"\0" * 60_000,
    "nul-in-text": b'{"ts":"\\u0000","value":"\\u0000","name":"\\u0000"}',
    "lone-surrogate": b'{"ts":1795334400000,"value":"\\ud800"}',
    "one-key-often": b'{"ts":1795334400000,' + b'"v":1,' * 9_000 + b'"v":2}',
    "many-keys": b"{" + b",".join(b'"k%d":1' % number for number in range(6_000)) + b"}",
    "many-items": b"[" + b"{}," * 20_000 + b"{}]",
    "cbor-array-of-2^64": b"\x9b" + b"\xff" * 8,
    "cbor-array-of-2^40": b"\x9b\x00\x00\x01\x00\x00\x00\x00\x00\x01",
    "cbor-map-of-2^31": b"\xba\x7f\xff\xff\xff\x01\x02",
    "cbor-bytes-of-2^62": b"\x5b\x3f" + b"\xff" * 7,
    "cbor-bytes-of-2^31": b"\x5a\x7f\xff\xff\xff\x00",
    "cbor-text-of-2^31": b"\x7a\x7f\xff\xff\xffa",
    "cbor-arrays-in-arrays": b"\x81" * 60_000,
    "cbor-arrays-without-end": b"\x9f" * 60_000,
    "cbor-bytes-without-end": b"\x5f" + b"\x41a" * 20_000,
    "cbor-tags-on-tags": b"\xc4" * 60_000,
    "cbor-bignum": b"\x81\xa1\x02\xc2\x59\xea\x60" + b"\xff" * 60_000,
    "cbor-fraction": b"\x81\xa2\x00ax\x02\xc4\x82\x1b" + b"\xff" * 8 + b"\x01",
    "protobuf-length-of-2^32": b"\x12\xff\xff\xff\xff\x0f",
    "protobuf-length-of-2^63": b"\x12" + b"\xff" * 8 + b"\x7f",
    "protobuf-empty-metrics": b"\x12\x00" * 30_000,
    "protobuf-endless-integer": b"\x08" + b"\xff" * 60_000,
}
"""Payloads made to cost much: each is tried on every dialect."""
_LIMITS: Final = Limits()
_ROUTING: Final = Routing()


def decoders(data: bytes) -> None:
    """A few messages, one after the other, are decoded or refused in a sentence, soon, by both ways alike."""
    memory, other = Memory(), Memory()
    for topic, payload in messages(data):
        message = Message(topic=topic, payload=payload, received_us=NOW_US)
        begun = time.process_time()
        said = decode_all([message], now_us=NOW_US, limits=_LIMITS, memory=memory, routing=_ROUTING)[0]
        took = time.process_time() - begun
        assert took < MOST_SECONDS, f"{took:.1f} s for {len(payload)} bytes"
        assert said == _ROUTING.decode(message, now_us=NOW_US, limits=_LIMITS, memory=other)
        for refusal in said.rejected:
            assert 0 < len(refusal.reason) <= LONGEST_REASON, refusal.reason
            assert refusal.reason.isprintable(), refusal.reason
        for reading in said.readings:
            for value in msgspec.structs.astuple(reading):
                assert not isinstance(value, float) or math.isfinite(value), reading
            assert reading.observed_us <= NOW_US + 1_000_000 * _LIMITS.future_tolerance_s, reading


def packets(data: bytes) -> None:
    """A stream is cut into the same packets wherever the pieces end, or refused as malformed; nothing is made up."""
    if len(data) < 2:
        return
    is_5, step, stream = bool(data[0] & 1), 1 + data[1], data[2:]
    whole, whole_error = _fed(is_5, [stream])
    pieces, pieces_error = _fed(is_5, [stream[at : at + step] for at in range(0, len(stream), step)])
    assert whole_error is pieces_error
    if not whole_error:
        assert _content(whole) == _content(pieces)
    for arrived in pieces:
        assert len(arrived.messages) == len(arrived.mids)
        assert len(arrived.aside_mids) <= len(arrived.asides)
        assert all(0 <= mid < 1 << 16 for mid in (*arrived.mids, *arrived.aside_mids))
    said = [message for arrived in pieces for message in (*arrived.messages, *arrived.asides)]
    assert sum(len(message.payload) + len(message.topic.encode("utf-8", "surrogateescape")) for message in said) <= len(
        stream
    )


def spool(data: bytes) -> None:
    """A segment file of any content is opened, read to its end and written on; what comes out was in it."""
    with TemporaryDirectory(prefix="arterial-fuzz-", dir=SCRATCH) as folder, capture_logs():
        (Path(folder) / f"{0:020d}.segment").write_bytes(data)
        with Spool(Path(folder), most_bytes=1 << 26) as log:
            assert all(record in data for record in _drained(log))
            log.append([b"after"])
            assert _drained(log) == [b"after"]
            assert len(log) == 0


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"decoders": decoders, "packets": packets, "spool": spool}


def _drained(log: Spool) -> list[bytes]:
    found: list[bytes] = []
    for _ in range(MOST_READS):
        chunk = log.read(most=100)
        found += chunk.records
        log.advance(chunk.end)
        if not len(log):
            return found
    message = f"after {MOST_READS} reads {len(log)} records are left"
    raise AssertionError(message)


def messages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The messages that an input of `decoders` stands for: each its topic and its payload, with lengths in front."""
    at = 0
    for _ in range(MOST_MESSAGES):
        if at >= len(data):
            return
        topic = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        size = int.from_bytes(data[at : at + 2], "big")
        yield topic.decode("utf-8", "surrogateescape"), data[at + 2 : at + 2 + size]
        at += 2 + size


def seeds(target: str) -> Iterator[tuple[str, bytes]]:
    """Inputs to begin from, with a name for each: the cases of all dialects, as messages, packets or records of a spool."""
    if target == "spool":
        for number in (0, 1, 7, 600):
            records = [str(place).encode() * (place % 5) for place in range(number)]
            yield f"{number}-records", b"".join(frames(records, 0))
            yield f"{number}-records-twice", b"".join((*frames(records, 0), *frames(records, number)))
        return
    for folder in sorted(folder for folder in CASES.glob("*/*") if folder.is_dir()):
        parts = [*sorted((folder / "before").glob("*")), folder]
        heard = [part for part in map(_message, parts) if len(part[0]) < 256 and len(part[1]) < 1 << 16]
        name = f"{folder.parent.name}-{folder.name}"
        if target == "decoders":
            yield name, b"".join(bytes((len(t),)) + t + len(p).to_bytes(2, "big") + p for t, p in heard)
        else:
            for is_5 in (False, True):
                yield f"{name}-{4 + is_5}", bytes((is_5, 40)) + b"".join(_publish(t, p, is_5=is_5) for t, p in heard)
    if target == "decoders":
        for name, dialect in DIALECTS.items():
            topic = dialect.example.encode()
            for bomb, payload in {"empty": b"", **BOMBS}.items():
                yield f"{name}-{bomb}", bytes((len(topic),)) + topic + len(payload).to_bytes(2, "big") + payload
    else:
        yield (
            "answers-4",
            b"\x00\x01" + b"\x20\x02\x00\x00\x90\x03\x00\x01\x01\xd0\x00\x40\x02\x00\x01\xb0\x02\x00\x01\xe0\x00",
        )
        yield "answers-5", b"\x01\x01" + b"\x20\x06\x00\x00\x03\x13\x00\x0f\x90\x04\x00\x01\x00\x01\xd0\x00\xe0\x01\x8e"


def _message(folder: Path) -> tuple[bytes, bytes]:
    topic = (folder / "topic").read_text(encoding="utf-8").strip().encode()
    return topic, next(folder.glob("payload.*")).read_bytes()


def _publish(topic: bytes, payload: bytes, *, is_5: bool) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + (b"\x00" if is_5 else b"") + payload
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | (128 if rest else 0))
        if not rest:
            return b"\x32" + bytes(length) + body


def _fed(is_5: bool, pieces: list[bytes]) -> tuple[list[Arrived], bool]:
    """What came of the pieces up to an error, and whether there was one."""
    stream = Stream(is_5=is_5)
    found: list[Arrived] = []
    try:
        found.extend(stream.feed(piece) for piece in pieces)
    except MalformedPacketError:
        return found, True
    return found, False


def _content(found: list[Arrived]) -> list[object]:
    return [
        *((m.topic, m.payload, m.retained, mid) for a in found for m, mid in zip(a.messages, a.mids, strict=True)),
        *((m.topic, m.payload) for a in found for m in a.asides),
        *(answer for a in found for answer in a.answers),
    ]
