"""A personal device may lay down the hash of a secret; what is not one is refused without repeating it."""

from __future__ import annotations

import hashlib

import pytest

from ingest.decoders import native
from ingest.decoders.checks import Window
from services.domain import ClaimReading, Kind, Message
from services.errors import InputError

NOW_US = 1_795_334_400_000_000
WINDOW = Window(now_us=NOW_US, earliest_us=0, latest_us=NOW_US + 1, oldest_days=3650, zone="Europe/Berlin")
HASH = hashlib.sha256(b"secret").hexdigest()


def claim(topic: str, payload: str) -> tuple[object, ...]:
    return native.decode(Message(topic=topic, payload=payload.encode(), received_us=NOW_US), WINDOW).readings


def test_a_claim_is_a_personal_reading() -> None:
    (reading,) = claim("city/v1/probe/car-1/claim", f'{{"ts": {NOW_US // 1000}, "token_sha256": "{HASH}"}}')
    assert reading == ClaimReading(
        subject="car-1", observed_us=NOW_US, kind=Kind.PROBE, token_hash=hashlib.sha256(b"secret").digest()
    )


@pytest.mark.parametrize("token", ['"secret-that-was-sent"', '"00"', "1", "null"])
def test_what_is_no_hash_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits") as refused:
        claim("city/v1/household/h-1/claim", f'{{"ts": {NOW_US // 1000}, "token_sha256": {token}}}')
    assert "secret" not in str(refused.value)


def test_fixed_sensors_have_no_claim() -> None:
    with pytest.raises(InputError, match="nothing to claim"):
        claim("city/v1/traffic/t-1/claim", f'{{"ts": {NOW_US // 1000}, "token_sha256": "{HASH}"}}')
