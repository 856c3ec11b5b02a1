"""Code concerned with what needs attention: from the newest readings and forecasts to a list, the most serious first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from dashboards import words
from dashboards.emptiness import silence_limit
from dashboards.jams import LIKELY, POSSIBLE, Jam
from dashboards.peaks import chance, likeliest
from models.congestion import Congestion, class_of
from services.domain import from_us
from services.storage.overview import DeadLetters, SensorNow
from services.storage.totals import PeakForecast

Severity = Literal["critical", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")
_STANDSTILL: Final = 0.3
_LIKELY: Final = 0.5
_POSSIBLE: Final = 0.1
_NAMED_SILENT: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One thing that needs attention. `rank` orders alerts of one severity, high first."""

    severity: Severity
    title: str
    text: str
    rank: float
    sensor: str | None = None


def find_alerts(
    sensors: Sequence[SensorNow],
    jams: Mapping[int, Jam],
    peaks: Sequence[PeakForecast],
    letters: DeadLetters,
    *,
    now: datetime,
    zone: ZoneInfo,
    stopped_at: datetime | None = None,
    more: Iterable[Alert] = (),
) -> list[Alert]:
    """Everything that needs attention now or soon.

    Args:
        sensors: every sensor with its newest reading.
        jams: chances of heavy congestion within the next hour, by sensor number.
        peaks: the highest quarter hour of today and tomorrow, of feeders.
        letters: dead letters of the last two hours.
        now: the moment.
        zone: the zone in which times are said.
        stopped_at: when ingest fell silent, None while it runs: silence that began later is not the sensors'.
        more: what is known from elsewhere, to be put in order with the rest.

    """
    heard_until = stopped_at or now
    alive = [s for s in sensors if not is_silent(s, now)]
    found = [
        *_congestion(alive, jams, now, zone),
        *_overload(alive, peaks, now, zone),
        *_silence([s for s in sensors if is_silent(s, heard_until)], now, zone),
        *_letters(letters),
        *more,
    ]
    return sorted(found, key=lambda alert: (SEVERITIES.index(alert.severity), -alert.rank, alert.title))


def is_silent(sensor: SensorNow, now: datetime) -> bool:
    """Whether a sensor has sent nothing for longer than its silence limit."""
    return sensor.observed_at is None or now - sensor.observed_at > silence_limit(sensor.step_seconds)


def _congestion(
    sensors: Sequence[SensorNow], jams: Mapping[int, Jam], now: datetime, zone: ZoneInfo
) -> Iterator[Alert]:
    for sensor in sensors:
        ratio, jam = sensor.speed_ratio, jams.get(sensor.id)
        if ratio is not None and class_of(ratio) is Congestion.CONGESTED:
            speed = f"{words.number(sensor.speed_kmh)} km/h, {words.percent(ratio)} of free flow"
            severity: Severity = "critical" if ratio < _STANDSTILL else "warning"
            yield Alert(
                severity=severity, title=f"Congestion · {sensor.label}", text=speed, rank=1 - ratio, sensor=sensor.code
            )
        elif jam is not None and jam.chance >= POSSIBLE:
            likely = jam.chance >= LIKELY
            when = words.clock(from_us(jam.at_us), zone, now=now)
            yield Alert(
                severity="warning" if likely else "info",
                title=f"Congestion {'likely' if likely else 'possible'} · {sensor.label}",
                text=f"{words.chance(jam.chance)} chance of heavy congestion within the next hour, about {when}",
                rank=jam.chance / 2,
                sensor=sensor.code,
            )


def _overload(
    sensors: Sequence[SensorNow], peaks: Sequence[PeakForecast], now: datetime, zone: ZoneInfo
) -> Iterator[Alert]:
    of_sensor: dict[str | None, list[PeakForecast]] = {}
    for one in peaks:
        of_sensor.setdefault(one.sensor, []).append(one)
    for sensor in sensors:
        limit = sensor.limit_kw
        if limit is None:
            continue
        if sensor.power_kw is not None and sensor.power_kw > limit:
            text = f"{words.number(sensor.power_kw)} kW of {words.number(limit)} kW allowed"
            yield Alert(
                severity="critical",
                title=f"Over limit · {sensor.label}",
                text=text,
                rank=sensor.power_kw / limit,
                sensor=sensor.code,
            )
            continue
        worst = likeliest(of_sensor.get(sensor.code, []))
        if worst is None or worst.chance_above is None or worst.chance_above < _POSSIBLE:
            continue
        allowed = f"{words.number(worst.limit_kw)} kW"
        if worst.so_far is not None and worst.limit_kw is not None and worst.so_far > worst.limit_kw:
            title, text = "Exceeded its limit today", f"Up to {words.number(worst.so_far)} kW; {allowed} are allowed"
        else:
            when = "" if worst.likely_at is None else f" around {words.clock(worst.likely_at, zone, now=now)}"
            title, text = "May exceed its limit", f"{chance(worst.chance_above)} chance{when} of more than {allowed}"
        yield Alert(
            severity="warning" if worst.chance_above >= _LIKELY else "info",
            title=f"{title} · {sensor.label}",
            text=text,
            rank=worst.chance_above,
            sensor=sensor.code,
        )


def _silence(sensors: Sequence[SensorNow], now: datetime, zone: ZoneInfo) -> Iterator[Alert]:
    latest = sorted(sensors, key=lambda s: (s.observed_at is None, s.code))
    for sensor in latest[:_NAMED_SILENT]:
        if sensor.observed_at is None:
            text = "Registered, but no reading has arrived in the last 30 days"
        else:
            clock = words.clock(sensor.observed_at, zone, now=now)
            text = f"No reading since {clock}, {words.age(now - sensor.observed_at)} ago"
        yield Alert(severity="warning", title=f"Silent · {sensor.label}", text=text, rank=-1, sensor=sensor.code)
    if len(latest) > _NAMED_SILENT:
        more = len(latest) - _NAMED_SILENT
        yield Alert(
            severity="warning", title=f"{more} more sensors are silent", text="The map shows them grey", rank=-2
        )


def _letters(letters: DeadLetters) -> Iterator[Alert]:
    if letters.last_hour > max(letters.hour_before, 4):
        text = f"{words.number(letters.last_hour)} in the last hour, {words.number(letters.hour_before)} before"
        reason = f". Mostly: {letters.reason}" if letters.reason else ""
        yield Alert(severity="warning", title="More messages cannot be read", text=text + reason, rank=0)
