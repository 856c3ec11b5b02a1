"""Code concerned with saying numbers and times to people, in the city's zone."""

from __future__ import annotations

import html
import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_THIN_SPACE = "\u202f"
_NO_VALUE = "–"


def number(value: float | None, digits: int = 0) -> str:
    """A number with thin spaces between thousands: 12 345.6; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return _NO_VALUE
    return f"{value:,.{digits}f}".replace(",", _THIN_SPACE).replace("-", "−")


def power(value_kw: float | None) -> tuple[str, str]:
    """A power as number and unit: kW below ten thousand, else MW."""
    if value_kw is not None and math.isfinite(value_kw) and abs(value_kw) >= 10_000:
        return number(value_kw / 1_000, 1), "MW"
    return number(value_kw), "kW"


def percent(value: float | None, digits: int = 0) -> str:
    """A share of 1 as per cent."""
    return number(None if value is None else 100 * value, digits) + f"{_THIN_SPACE}%"


def chance(value: float | None) -> str:
    """A chance as per cent; what is nearly impossible or nearly certain is said so, for no forecast knows better."""
    if value is None or not math.isfinite(value):
        return _NO_VALUE
    if value < 0.01:
        return f"under 1{_THIN_SPACE}%"
    return f"over 99{_THIN_SPACE}%" if value > 0.99 else percent(value)


def change(now: float | None, before: float | None) -> tuple[str, str]:
    """How a value differs from an earlier one: direction (`up`, `down`, `same`, `unknown`) and signed per cent."""
    if now is None or before is None or not math.isfinite(now) or not math.isfinite(before) or before == 0:
        return "unknown", _NO_VALUE
    share = now / before - 1
    if abs(share) < 0.005:
        return "same", f"±0{_THIN_SPACE}%"
    sign = "+" if share > 0 else "−"
    return ("up" if share > 0 else "down"), f"{sign}{abs(100 * share):.0f}{_THIN_SPACE}%"


def span(minutes: int) -> str:
    """A length of time that is whole: 30 min, 1 h, 1 day."""
    if minutes % 1_440 == 0:
        days = minutes // 1_440
        return f"{days}{_THIN_SPACE}day" + ("s" if days > 1 else "")
    return f"{minutes // 60}{_THIN_SPACE}h" if minutes % 60 == 0 else f"{minutes}{_THIN_SPACE}min"


def tiny(value: float) -> str:
    """A very small number as a power of ten: 10⁻⁶; others as they are."""
    exponent = round(math.log10(value)) if value > 0 else 0
    if exponent > -3 or not math.isclose(value, 10.0**exponent, rel_tol=1e-6):
        return f"{value:g}"
    return "10⁻" + str(-exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def age(length: timedelta) -> str:
    """A length of time in its largest sensible unit: 12 s, 4 min, 3 h, 2 days."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 90:
        return f"{seconds}{_THIN_SPACE}s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)}{_THIN_SPACE}min"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)}{_THIN_SPACE}h"
    return f"{round(seconds / 86400)}{_THIN_SPACE}days"


def clock(moment: datetime, zone: ZoneInfo, *, now: datetime | None = None) -> str:
    """A moment on the city's clock: 08:05, with the weekday when it is another day than `now`, with the date when far."""
    local = moment.astimezone(zone)
    if now is None:
        return local.strftime("%a %-d %b %H:%M")
    days = (local.date() - now.astimezone(zone).date()).days
    if days == 0:
        return local.strftime("%H:%M")
    return local.strftime("%a %H:%M") if abs(days) < 6 else local.strftime("%a %-d %b %H:%M")


def zone_note(zone: ZoneInfo, now: datetime) -> str:
    """The zone and what its clock is ahead of UTC: Europe/Berlin, UTC+1."""
    offset = now.astimezone(zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign = "+" if minutes >= 0 else "−"
    hours, rest = divmod(abs(minutes), 60)
    return f"{zone.key}, UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")


def plain(text: str) -> str:
    """Text of a device made harmless for Plotly, which renders a subset of HTML in names, titles and hover boxes.

    `%{` would be read as a template in hover texts, so the brace is set apart as well.
    """
    printable = "".join(c for c in text if c.isprintable())
    return html.escape(printable, quote=True).replace("%{", "%\u200b{")
