"""Code concerned with how far history has been sent, kept in the data folder so that a restart leaves no hole."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.settings import Settings

_FILE = "simulator.json"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about the city of this seed up to this moment [µs since 1970 UTC] has been handed over."""

    seed: int
    until_us: int


def last_sent(settings: Settings, seed: int) -> int | None:
    """Until when [µs since 1970 UTC] the city of this seed was sent, None when that is not known."""
    try:
        sent = msgspec.json.decode(_file(settings).read_bytes(), type=Sent)
    except (OSError, msgspec.DecodeError):
        return None
    return sent.until_us if sent.seed == seed else None


def remember(settings: Settings, seed: int, until_us: int) -> None:
    """Keep until when the city of this seed was sent; a reader never sees half of it."""
    file = _file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(Sent(seed=seed, until_us=until_us)))
    fresh.replace(file)


def _file(settings: Settings) -> Path:
    return settings.data_dir.expanduser() / _FILE
