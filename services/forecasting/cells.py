"""Code concerned with the cells of tables that people hand in: a time or a number, or what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime

from models.panel import LARGEST
from services.domain import to_us


def time_us(text: str, years: range) -> int:
    """A time [µs since 1970 UTC]; without an offset it is UTC.

    Raises:
        ValueError: it is none, or of another year; the message is for people and begins with the cell.

    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        message = f"{text!r} is not a time such as 2026-11-22T08:00:00Z"
        raise ValueError(message) from error
    if moment.year not in years:
        message = f"{text!r} is not a time from {years[0]} to {years[-1]}; correct the year"
        raise ValueError(message)
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def measured(text: str) -> float:
    """A number that can have been measured.

    Raises:
        ValueError: it is none; the message is for people and begins with the cell.

    """
    try:
        value = float(text)
    except ValueError as error:
        message = f"{text!r} is not a number"
        raise ValueError(message) from error
    if not abs(value) <= LARGEST:
        message = f"{text!r} is no measurement"
        raise ValueError(message)
    return value
