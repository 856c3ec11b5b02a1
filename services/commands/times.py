"""Code concerned with times as a person writes them after an option."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str, option: str) -> datetime:
    """A time in UTC; without a zone it is UTC already, and a day is its midnight.

    Args:
        text: ISO 8601.
        option: after which it was written, such as `--at`.

    Raises:
        InputError: it is no time.

    """
    from services.errors import InputError

    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{option} {text!r} is not a time: write it like 2026-11-22T08:00:00Z, or 2026-11-22 for its midnight in UTC"
        raise InputError(message) from None
