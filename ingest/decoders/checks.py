"""Code concerned with what every dialect checks: payload size, JSON, times and numbers, each refusal a sentence."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from services.domain import from_us, to_us
from services.errors import InputError

SECOND_US: Final = 1_000_000
MAX_FIELDS: Final = 64
DAY_US: Final = 86_400 * SECOND_US
_YEAR_US: Final = 365 * DAY_US
_EARLIEST_EVER_US: Final = to_us(datetime(1990, 1, 1, tzinfo=UTC))
_CLOCK_NOT_SET_US: Final = to_us(datetime(1971, 1, 1, tzinfo=UTC))
_PLAUSIBLE_US: Final = to_us(datetime(2000, 1, 1, tzinfo=UTC))
_LARGEST_FLOAT4: Final = 3.4e38
_MAGNITUDES: Final = {
    "seconds": (1_000_000, 1),
    "milliseconds": (1_000, 1),
    "microseconds": (1, 1),
    "nanoseconds": (1, 1_000),
}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,4})?")
_ANY: Final = msgspec.json.Decoder()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is accepted; `zone` is the city's IANA time zone, for devices that send their local time without one."""

    max_payload_bytes: int = 262_144
    future_tolerance_s: int = 300
    oldest_days: int = 3_650
    zone: str = "Europe/Berlin"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The span of timestamps that are accepted, as seen from the server's clock [µs since 1970 UTC]; and the city's zone."""

    now_us: int
    earliest_us: int
    latest_us: int
    oldest_days: int
    zone: str

    @classmethod
    def of(cls, limits: Limits, now_us: int) -> Window:
        """The window at `now_us`; nothing before 1990 is ever accepted."""
        return cls(
            now_us=now_us,
            earliest_us=max(now_us - limits.oldest_days * DAY_US, _EARLIEST_EVER_US),
            latest_us=now_us + limits.future_tolerance_s * SECOND_US,
            oldest_days=limits.oldest_days,
            zone=limits.zone,
        )


def parse_json(payload: bytes) -> Any:
    """The content of a JSON payload.

    Raises:
        InputError: it is not JSON, not UTF-8, or nested too deep.

    """
    try:
        return _ANY.decode(payload)
    except RecursionError:
        message = "the payload is nested too deep"
        raise InputError(message) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(_explain_json(str(error), payload)) from None


def _explain_json(reason: str, payload: bytes) -> str:
    if not payload.strip():
        return "the payload is empty"
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return f"the payload is not valid UTF-8, at byte {error.start}"
    if "out of range" in reason:
        return "the payload has a number that is too large for a computer's numbers"
    place = _BYTE.search(reason)
    if place is None:
        return "the payload is not valid JSON: it ends too early"
    what = _BYTE.sub("", reason.removeprefix("JSON is malformed: ")).strip()
    rest = payload[int(place[1]) :].lstrip(b"-")
    if rest.startswith((b"NaN", b"Infinity", b"aN", b"nfinity")):
        what = "NaN and Infinity are not JSON numbers, leave the field out instead"
    return f"the payload is not valid JSON: {what}, at byte {place[1]}"


def document(payload: bytes, what: str) -> dict[str, Any]:
    """The JSON object that a payload is.

    Args:
        payload: as received.
        what: what it should be, for the sentence: "an uplink of …".

    Raises:
        InputError: it is not JSON, or not an object.

    """
    found = parse_json(payload)
    if not isinstance(found, dict):
        message = f"the payload is not {what}: a JSON object is expected"
        raise InputError(message)
    return found


def json_object(item: object) -> dict[str, Any]:
    """A JSON object of a reasonable number of fields.

    Raises:
        InputError: it is something else.

    """
    if not isinstance(item, dict):
        message = f'{shown(item)} is not a JSON object such as {{"ts": …}}'
        raise InputError(message)
    if len(item) > MAX_FIELDS:
        message = f"the object has {len(item)} fields, the limit is {MAX_FIELDS}"
        raise InputError(message)
    return item


def device_time(value: object, window: Window) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 time with its offset, or of an integer of milliseconds since 1970.

    Raises:
        InputError: it is neither, or lies outside the window.

    """
    return text_moment(value, window) if isinstance(value, str) else counted_moment(value, "milliseconds", window)


def text_moment(value: str, window: Window) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 time with its offset.

    Raises:
        InputError: it is not such a time, has no offset, or lies outside the window.

    """
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        message = f"the timestamp {shown(value)} is not an RFC 3339 time such as 2026-11-22T08:00:00Z"
        raise InputError(message) from None
    if moment.tzinfo is None:
        message = f"the timestamp {value} has no time zone: add Z or an offset such as +01:00"
        raise InputError(message)
    return within(to_us(moment), window)


def counted_moment(value: object, unit: str, window: Window) -> int:
    """Microseconds since 1970 UTC of an integer that counts `unit` since 1970.

    Raises:
        InputError: it is not an integer, counts another unit by its magnitude, or lies outside the window.

    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"the timestamp {shown(value)} is neither an RFC 3339 time nor an integer of {unit} since 1970"
        raise InputError(message)
    times, divisor = _MAGNITUDES[unit]
    moment = value * times // divisor
    if not window.earliest_us <= moment <= window.latest_us:
        for other, (other_times, other_divisor) in _MAGNITUDES.items():
            guess = value * other_times // other_divisor
            if other != unit and _PLAUSIBLE_US <= guess <= window.latest_us:
                message = f"the timestamp {value} looks like {other} since 1970 ({iso(guess)}), but {unit} are expected"
                raise InputError(message)
    return within(moment, window)


def local_moment(value: str, received_us: int, window: Window) -> int:
    """Microseconds since 1970 UTC of a time that may lack its offset: it is then the city's local time.

    In the hour that occurs twice in autumn the occurrence nearer to the receipt is meant.

    Raises:
        InputError: it is not a time, does not exist in the zone (in spring), or lies outside the window.

    """
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        message = f"the timestamp {shown(value)} is not a time such as 2026-11-22T08:00:00"
        raise InputError(message) from None
    if moment.tzinfo is not None:
        return within(to_us(moment), window)
    zone = ZoneInfo(window.zone)
    try:
        both = [to_us(moment.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)]
        exists = any(from_us(us).astimezone(zone).replace(tzinfo=None) == moment for us in both)
    except OverflowError:
        message = f"the timestamp {shown(value)} lies at the edge of the calendar"
        raise InputError(message) from None
    if not exists:
        message = f"the local time {value} does not exist in {window.zone}: the clock was put forward"
        raise InputError(message)
    return within(min(both, key=lambda us: abs(us - received_us)), window)


def within(moment: int, window: Window) -> int:
    """The moment itself [µs], when it lies inside the window.

    Raises:
        InputError: it does not.

    """
    if window.earliest_us <= moment <= window.latest_us:
        return moment
    if moment < _CLOCK_NOT_SET_US:
        message = f"the timestamp {iso(moment)} is {iso(moment)[:4]}: is the clock of the device set?"
    elif moment > window.latest_us:
        message = f"the timestamp {iso(moment)} is {_duration(moment - window.now_us)} ahead of the server's clock"
    else:
        message = (
            f"the timestamp {iso(moment)} is {_duration(window.now_us - moment)} old; "
            f"readings older than {window.oldest_days} days or from before 1990 are refused"
        )
    raise InputError(message)


def number(
    field: str, value: object, *, low: float = -_LARGEST_FLOAT4, high: float = _LARGEST_FLOAT4, why: str = ""
) -> float:
    """The value of a numeric field.

    Args:
        field: its name, for the sentence.
        value: what the payload holds.
        low: smallest value accepted.
        high: largest value accepted.
        why: completes "<field> is <value>, but …" when it lies outside.

    Raises:
        InputError: it is not a finite number, or lies outside.

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{field} is {shown(value)}, but a number is expected"
        raise InputError(message)
    if isinstance(value, float) and math.isnan(value):
        message = f"{field} is not a number (NaN)"
        raise InputError(message)
    if not low <= value <= high or not math.isfinite(value):
        says_why = why and (value < low or high < _LARGEST_FLOAT4)
        message = f"{field} is {shown(value)}, but {why if says_why else 'that is larger than any such quantity'}"
        raise InputError(message)
    return float(value)


def text_number(field: str, value: object, *, low: float = -_LARGEST_FLOAT4, high: float = _LARGEST_FLOAT4) -> float:
    """The value of a number that may be written as text, with a decimal point.

    Raises:
        InputError: it is no such number, not finite, or lies outside.

    """
    if isinstance(value, str):
        plain = value.strip()
        if not _DECIMAL.fullmatch(plain):
            hint = ": write a decimal point" if "," in plain else ""
            message = f"{field} is {shown(value)}, but a number is expected{hint}"
            raise InputError(message)
        value = float(plain)
    return number(field, value, low=low, high=high)


def sequence_number(value: object) -> int | None:
    """A sequence number, 0 to 2^63 - 1, or None when the device sends none.

    Raises:
        InputError: it is something else.

    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        message = f"seq is {shown(value)}, but an integer from 0 to 2^63 - 1 is expected"
        raise InputError(message)
    return value


def sensor_code(code: str) -> str:
    """A sensor's or subject's name: 1 to 128 printable characters.

    Raises:
        InputError: it is empty, too long, or has control characters.

    """
    if not 1 <= len(code) <= 128:
        message = f"the sensor name has {len(code)} characters, 1 to 128 are allowed"
        raise InputError(message)
    if not code.isprintable():
        message = f"the sensor name {shown(code)} has unprintable characters"
        raise InputError(message)
    return code


def is_quantity(name: str) -> bool:
    """Whether a field name can be stored as a quantity: lower case, digits and underscores, 1 to 63 characters."""
    return _NAME.fullmatch(name) is not None


def quantity_name(name: str) -> str:
    """The nearest storable quantity name: `Temperature outdoor` and `temperatureOutdoor` are `temperature_outdoor`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if plain[:1].isdigit():
        plain = f"q_{plain}"
    return plain[:63]


def shown(value: object) -> str:
    """A value of a payload as a sentence can quote it: short, on one line, printable."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return "an integer of more than 30 digits"
    text = (
        "null" if value is None else {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    )
    return text if len(text) <= 80 else f"{text[:77]}..."


def iso(moment: int) -> str:
    """A moment [µs since 1970 UTC] as people write it; far outside the calendar, the count itself."""
    try:
        return from_us(moment).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"of the year {moment / _YEAR_US + 1970:.0f}" if abs(moment) < 10**24 else "beyond the calendar"


def _duration(length_us: int) -> str:
    for size, name in ((_YEAR_US, "year"), (DAY_US, "day"), (3_600 * SECOND_US, "hour"), (60 * SECOND_US, "minute")):
        if length_us >= size:
            count = length_us // size
            return f"{count:,} {name}{'s' if count != 1 else ''}"
    return f"{length_us / SECOND_US:.1f} seconds"


def station_code(name: str, value: object) -> str:
    """The code of a station in the register.

    Raises:
        InputError: it is missing, or is no short printable text.

    """
    if not isinstance(value, str) or not 1 <= len(value) <= 100 or not value.isprintable():
        message = f"{name} is {shown(value)}, but the code of a station is expected"
        raise InputError(message)
    return value
