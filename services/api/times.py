"""Code concerned with the times people write in a query: RFC 3339 with any offset, a date, `now`, `now-24h`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from services.errors import InputError

FORMS: Final = "2026-11-22T08:00:00Z, 2026-11-22T09:00:00+01:00, 2026-11-22 (its UTC midnight), now, now-24h"
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
_RELATIVE: Final = re.compile(r"now(?:([+-])(\d{1,6})(s|m|h|d|w))?", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt_ ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)([Zz]|[+\- ]\d{2}:\d{2})", re.ASCII
)


def parse_time(text: str, *, parameter: str, now: datetime) -> datetime:
    """The UTC time that a query parameter names.

    A `+` that reached us as a space, because the client did not write it as `%2B`, is read as the `+` it was.

    Args:
        text: one of the forms of `FORMS`.
        parameter: the parameter's name, for the message.
        now: what `now` is.

    Raises:
        InputError: the text has another form, no time zone, or lies outside 1970 to 2100.

    """
    moment = _relative(text, now) or _absolute(text)
    if moment is None:
        hint = "has no time zone" if _absolute(text + "Z") else "is not a time"
        message = f"{parameter}={text[:60]!r} {hint}: write it like {FORMS}"
        raise InputError(message)
    if not _EARLIEST <= moment < _LATEST:
        message = f"{parameter}={text[:60]!r} is outside 1970 to 2100"
        raise InputError(message)
    return moment


def parse_range(
    first: str | None, end: str | None, *, now: datetime, default_end: datetime, span: timedelta = timedelta(hours=24)
) -> tuple[datetime, datetime]:
    """The half-open UTC range of the parameters `from` and `to`.

    Args:
        first: `from` as given.
        end: `to` as given.
        now: what `now` is.
        default_end: the end without `to`.
        span: what lies between them when `from` is not given.

    Raises:
        InputError: a time cannot be read, or `from` is not before `to`.

    """
    stop = parse_time(end, parameter="to", now=now) if end else default_end
    start = parse_time(first, parameter="from", now=now) if first else stop - span
    if start >= stop:
        message = f"from ({start.isoformat()}) must be before to ({stop.isoformat()})"
        raise InputError(message)
    return start, stop


def _relative(text: str, now: datetime) -> datetime | None:
    match = _RELATIVE.fullmatch(text.replace(" ", "+"))
    if match is None:
        return None
    if match[1] is None:
        return now
    distance = timedelta(**{_UNITS[match[3]]: int(match[2])})
    try:
        return now - distance if match[1] == "-" else now + distance
    except OverflowError:
        return _LATEST


def _absolute(text: str) -> datetime | None:
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    clock = match[2] if "." not in match[2] else match[2][:15].ljust(15, "0")
    offset = "+00:00" if match[3] in "Zz" else match[3].replace(" ", "+")
    try:
        return datetime.fromisoformat(f"{match[1]}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
