"""Code concerned with household meters (DSMR, P1 port) on `dsmr/<district>/<meter>/json` and `…/raw`. Personal.

DSMR-reader publishes to topics of one's choice: put the district's code and the meter's name into them, as a telegram
holds neither. Its JSON has decimal numbers as text; a raw telegram must have the CRC16 that its meter has written after
the `!`, over everything from the `/` on, line ends as sent. The time of a raw telegram is local with a letter, `W` in winter
(UTC+1) and `S` in summer (UTC+2).

Ten-second loads show how people live, so they are left at the door: both tariffs' registers of energy taken from the
grid are added up, and one reading a quarter of an hour, by which the register grew from its first telegram to that of
the next, goes on. The telegrams between are accepted without a row. The quarter in which listening starts is not
measured, nor are gaps of more than an hour. Energy fed into the grid, gas and the load of the moment are not read.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

import msgspec

from ingest.decoders.checks import SECOND_US, Window, document, text_moment, text_number, within
from ingest.decoders.columns import joined
from ingest.decoders.memory import Memory
from services.domain import Decoded, HouseholdReading, Message, to_us
from services.errors import InputError

_QUARTER_US: Final = 900 * SECOND_US
_MOST_QUARTERS: Final = 4
_LARGEST_KWH: Final = 1e8
_MOST_USED_KWH: Final = 1_000
_CRC: Final = re.compile(rb"!([0-9A-Fa-f]{4})\s*")
_TIME: Final = re.compile(rb"0-0:1\.0\.0\(([0-9]{12})([WS])\)")
_REGISTER: Final = re.compile(rb"1-0:1\.8\.([012])\(([0-9]{1,9}(?:\.[0-9]{1,6})?)\*kWh\)")
_CRC_BITS: Final = 0xA001


class _Quarter(msgspec.Struct, frozen=True):
    """The quarter of an hour a meter is in: its first telegram, and the reading that this telegram completed."""

    first_us: int
    register_kwh: float | None
    completed: HouseholdReading | None = None


def decode(message: Message, window: Window, memory: Memory) -> Decoded:
    """The quarter of an hour that the telegram completes, if it does. No sentence of a refusal quotes a register.

    Raises:
        InputError: it is no telegram, its CRC is wrong, or the register went back.

    """
    _, district, meter, form = message.topic.split("/")
    if not 1 <= len(district) <= 63 or not district.isprintable():
        reason = "the topic names no district: dsmr/<district>/<meter>/json is expected"
        raise InputError(reason)
    subject = joined("dsmr", meter)
    observed_us, register = (_json if form == "json" else _raw)(message.payload, window)
    known = memory.recall("dsmr", subject)
    before = known if isinstance(known, _Quarter) else None
    quarter = _next(before, subject, district, observed_us, register)
    memory.keep("dsmr", subject, quarter, weight=3)
    if before is not None and quarter is not before and register < (before.register_kwh or 0.0):
        reason = "the meter's register went back: has it been exchanged? Measuring starts anew"
        raise InputError(reason)
    completed = quarter.completed if observed_us == quarter.first_us else None
    return Decoded(readings=() if completed is None else (completed,))


def _next(before: _Quarter | None, subject: str, district: str, observed_us: int, register: float) -> _Quarter:
    """Where the meter is after a telegram; the telegram that began the quarter, delivered again, changes nothing."""
    if before is None:
        return _Quarter(observed_us, None)
    start, now = before.first_us // _QUARTER_US, observed_us // _QUARTER_US
    if now <= start:
        return before
    if now - start > _MOST_QUARTERS or (before.register_kwh is not None and register < before.register_kwh):
        return _Quarter(observed_us, None)
    if before.register_kwh is None:
        return _Quarter(observed_us, register)
    used = round(register - before.register_kwh, 6)
    if used > _MOST_USED_KWH:
        message = f"the meter's register grew by more than {_MOST_USED_KWH:,} kWh since the last quarter of an hour"
        raise InputError(message)
    return _Quarter(
        observed_us,
        register,
        HouseholdReading(subject=subject, observed_us=start * _QUARTER_US, district=district, energy_kwh=used),
    )


def _json(payload: bytes, window: Window) -> tuple[int, float]:
    telegram = document(payload, "a telegram of DSMR-reader")
    if not isinstance(telegram.get("timestamp"), str):
        message = "the telegram has no timestamp"
        raise InputError(message)
    register = sum(
        text_number(name, telegram.get(name), low=0, high=_LARGEST_KWH)
        for name in ("electricity_delivered_1", "electricity_delivered_2")
    )
    return text_moment(telegram["timestamp"], window), register


def _raw(payload: bytes, window: Window) -> tuple[int, float]:
    start, end = payload.find(b"/"), payload.rfind(b"!")
    sent = _CRC.fullmatch(payload[end:]) if 0 <= start < end else None
    if sent is None:
        message = "the payload is not a whole telegram: it begins with / and ends with ! and a CRC of four digits"
        raise InputError(message)
    if _crc16(payload[start : end + 1]) != int(sent[1], 16):
        message = "the CRC of the telegram is wrong: a byte was changed on the way, or a line end"
        raise InputError(message)
    stamp = _TIME.search(payload)
    if stamp is None:
        message = "the telegram has no time (0-0:1.0.0) with W or S"
        raise InputError(message)
    zone = timezone(timedelta(hours=1 if stamp[2] == b"W" else 2))
    try:
        moment = datetime.strptime(stamp[1].decode(), "%y%m%d%H%M%S").replace(tzinfo=zone)
    except ValueError:
        message = "the time of the telegram (0-0:1.0.0) does not exist"
        raise InputError(message) from None
    registers = {tariff: float(value) for tariff, value in _REGISTER.findall(payload)}
    if b"0" in registers:
        registers = {b"0": registers[b"0"]}
    if not registers:
        message = "the telegram has no register of energy taken from the grid (1-0:1.8.1 and 1-0:1.8.2, or 1-0:1.8.0)"
        raise InputError(message)
    return within(to_us(moment), window), sum(registers.values())


def _crc16(telegram: bytes) -> int:
    """CRC16 with the polynomial x^16 + x^15 + x^2 + 1, least significant bit first, from 0 (DSMR P1, 5.2)."""
    crc = 0
    for octet in telegram:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ octet) & 0xFF]
    return crc


def _entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (_CRC_BITS if index & 1 else 0)
    return index


_CRC_TABLE: Final = tuple(_entry(index) for index in range(256))
