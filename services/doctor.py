"""Code concerned with finding out what is wrong with a running installation, in sentences with a remedy each."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg

from services.domain import Diagnosis
from services.errors import ConfigurationError, InputError, UnavailableError
from services.forecasting.city_calendar import city_calendar
from services.settings import Role, Settings, without_user
from services.storage import covariates, dead_letters, health, sensor_health
from services.storage.database import Connection, connect, first_line
from services.storage.migrate import available, version_of

Verdict = Literal["ok", "warning", "wrong"]
_ROLES: tuple[Role, ...] = ("ingest", "jobs", "api")
_MOST_CLOCK_DIFFERENCE = timedelta(seconds=5)
_INGEST_SILENCE = timedelta(seconds=30)
_MOST_HEARTBEAT_AGE = timedelta(seconds=30)
_LEAST_FREE_BYTES = 2 * 1024**3
_MOST_DIRTY_HOURS = 50_000
_MOST_JUDGED_AGE = timedelta(minutes=15)
_MOST_COVARIATE_AGE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing examined: what is so, and what to do when it is not as it should be."""

    subject: str
    verdict: Verdict
    fact: str
    remedy: str | None = None


def examine(settings: Settings) -> list[Finding]:
    """Examine everything the settings name. Never raises for what it finds."""
    findings = [*_disk(settings.data_dir), *_school_holidays(settings)]
    findings.extend(_broker(settings))
    try:
        dsn = settings.owner_dsn()
    except ConfigurationError as error:
        return [*findings, Finding(subject="database", verdict="wrong", fact="none is configured", remedy=str(error))]
    try:
        connection = connect(dsn, application="doctor", statement_timeout_s=20, autocommit=True)
    except UnavailableError as error:
        remedy = "is the server running, and are ARTERIAL_DATABASE_URL's host, port, user and password right?"
        return [*findings, Finding(subject="database", verdict="wrong", fact=str(error), remedy=remedy)]
    with connection:
        findings.extend(_database(connection))
        findings.extend(_role_logins(settings))
        if version_of(connection) == len(available()):
            try:
                findings.extend(_flow(connection, settings))
                findings.extend(_covariates(connection))
            except psycopg.Error as error:
                findings.append(Finding(subject="database", verdict="wrong", fact=first_line(error)))
    return findings


def _disk(data_dir: Path) -> Iterator[Finding]:
    folder = data_dir.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    fact = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < _LEAST_FREE_BYTES:
        yield Finding(subject="disk", verdict="wrong", fact=fact, remedy="free space, or move ARTERIAL_DATA_DIR")
    else:
        yield Finding(subject="disk", verdict="ok", fact=fact)


def _broker(settings: Settings) -> Iterator[Finding]:
    if settings.mqtt_url is None:
        yield Finding(
            subject="broker",
            verdict="wrong",
            fact="none is configured",
            remedy="set ARTERIAL_MQTT_URL, or start everything with `arterial up`",
        )
        return
    parts = urlsplit(settings.broker_url())
    address = (parts.hostname or "localhost", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
    try:
        with socket.create_connection(address, timeout=3):
            yield Finding(
                subject="broker", verdict="ok", fact=f"accepts connections at {without_user(settings.broker_url())}"
            )
    except OSError as error:
        yield Finding(
            subject="broker",
            verdict="wrong",
            fact=f"{address[0]}:{address[1]} does not answer: {error.strerror or error}",
            remedy="is the broker running, and is ARTERIAL_MQTT_URL right?",
        )


def _database(connection: Connection) -> Iterator[Finding]:
    version, wanted = version_of(connection), len(available())
    if version == wanted:
        yield Finding(subject="database", verdict="ok", fact=f"answers, at version {version}")
    else:
        remedy = "run `arterial migrate`" if version < wanted else "upgrade Arterial: the database is newer than it"
        yield Finding(
            subject="database",
            verdict="wrong",
            fact=f"at version {version}, this Arterial needs {wanted}",
            remedy=remedy,
        )
    skew = abs(datetime.now(UTC) - health.clock(connection))
    fact = f"differs {skew.total_seconds():.1f} s from the database's"
    if skew > _MOST_CLOCK_DIFFERENCE:
        yield Finding(subject="clock", verdict="wrong", fact=fact, remedy="synchronise both machines (NTP)")
    else:
        yield Finding(subject="clock", verdict="ok", fact=fact)


def _role_logins(settings: Settings) -> Iterator[Finding]:
    for role in _ROLES:
        try:
            connect(settings.role_dsn(role), application="doctor").close()
        except (ConfigurationError, UnavailableError) as error:
            yield Finding(
                subject=f"role {role}",
                verdict="wrong",
                fact=str(error),
                remedy=f"set ARTERIAL_DATABASE_PASSWORD_{role.upper()} and run `arterial migrate`, which lets the role in",
            )
        else:
            yield Finding(subject=f"role {role}", verdict="ok", fact=f"arterial_{role} can log in")


def _flow(connection: Connection, settings: Settings) -> Iterator[Finding]:
    yield from _ingest(connection)
    yield from _dead_letters(connection)
    registered, live = health.live_sensors(connection)
    verdict: Verdict = "ok" if registered and live else "warning"
    yield Finding(
        subject="sensors",
        verdict=verdict,
        fact=f"{live} of {registered} registered sensors reported lately",
        remedy=None if verdict == "ok" else "do devices publish on the topics of ARTERIAL_MQTT_TOPICS?",
    )
    yield _diagnoses(connection)
    waiting = health.dirty_hours(connection)
    verdict = "ok" if waiting < _MOST_DIRTY_HOURS else "warning"
    yield Finding(
        subject="roll-ups",
        verdict=verdict,
        fact=f"{waiting} sensor-hours wait",
        remedy=None if verdict == "ok" else "is `arterial worker` running?",
    )
    yield from _compression(connection)
    yield from _forecasts(connection, settings)


def _compression(connection: Connection) -> Iterator[Finding]:
    found = health.chunks(connection)
    if found is None:
        return
    chunks, compressed, overdue = found
    fact = f"{compressed} of {chunks} chunks of TimescaleDB are compressed"
    if overdue:
        yield Finding(
            subject="compression",
            verdict="warning",
            fact=f"{fact}, {overdue} wait although they should be",
            remedy="timescaledb_information.job_errors has the reason; has the server max_worker_processes to spare?",
        )
    else:
        yield Finding(subject="compression", verdict="ok", fact=fact)


def _ingest(connection: Connection) -> Iterator[Finding]:
    sessions = health.ingest_sessions(connection)
    if not sessions:
        yield Finding(
            subject="ingest", verdict="wrong", fact="no session in the last day", remedy="start `arterial ingest`"
        )
        return
    for session in sessions:
        silence = datetime.now(UTC) - session.seen_at
        fact = (
            f"{session.client_id}: {session.received} received = {session.stored} stored + {session.duplicate} duplicate "
            f"+ {session.dead_lettered} dead-lettered + {session.spooled} spooled + {session.in_flight} in flight"
        )
        if not session.accounted:
            yield Finding(
                subject="ingest", verdict="wrong", fact=f"{fact}: does not add up", remedy="report this as a bug"
            )
        elif silence > _INGEST_SILENCE:
            yield Finding(
                subject="ingest",
                verdict="wrong",
                fact=f"{session.client_id} was last seen {silence.total_seconds():.0f} s ago",
                remedy="is `arterial ingest` running, and can it reach the database?",
            )
        else:
            yield Finding(subject="ingest", verdict="ok", fact=fact)
            yield from _heartbeat(session)


def _heartbeat(session: health.IngestSession) -> Iterator[Finding]:
    if session.heartbeat_at is None:
        fact = f"{session.client_id}: none has gone through broker and database yet"
        remedy = (
            "may its user publish and read arterial/heartbeat/+ at the broker? ARTERIAL_INGEST_HEARTBEAT_S=0 sends none"
        )
        yield Finding(subject="heartbeat", verdict="warning", fact=fact, remedy=remedy)
        return
    age = datetime.now(UTC) - session.heartbeat_at
    fact = f"{session.client_id}: the last went through broker and database {age.total_seconds():.0f} s ago"
    if age > _MOST_HEARTBEAT_AGE:
        remedy = "the database lives, so look at the broker: does it answer, and does ingest keep up?"
        yield Finding(subject="heartbeat", verdict="wrong", fact=fact, remedy=remedy)
    else:
        yield Finding(subject="heartbeat", verdict="ok", fact=fact)


def _diagnoses(connection: Connection) -> Finding:
    found, judged_at = sensor_health.counts(connection)
    if judged_at is None or datetime.now(UTC) - judged_at > _MOST_JUDGED_AGE:
        fact = "never judged" if judged_at is None else f"last judged {judged_at:%Y-%m-%d %H:%M} UTC"
        remedy = "is `arterial worker` running? It judges every five minutes"
        return Finding(subject="diagnoses", verdict="warning", fact=fact, remedy=remedy)
    fact = ", ".join(f"{sensors} {diagnosis}" for diagnosis, sensors in found.items())
    if found.keys() == {Diagnosis.OK}:
        return Finding(subject="diagnoses", verdict="ok", fact=fact)
    remedy = "GET /api/v1/health/sensors says which sensors, since when and why"
    return Finding(subject="diagnoses", verdict="warning", fact=fact, remedy=remedy)


def _dead_letters(connection: Connection) -> Iterator[Finding]:
    found = dead_letters.reasons(connection, since=datetime.now(UTC) - timedelta(hours=1))
    if not found:
        yield Finding(subject="dead letters", verdict="ok", fact="none in the last hour")
    for reason in found:
        yield Finding(
            subject="dead letters",
            verdict="warning",
            fact=f"{reason.messages} in the last hour: {reason.reason} (topic {reason.topic})",
            remedy="correct the device, or try its payload with `arterial decode`",
        )


def _forecasts(connection: Connection, settings: Settings) -> Iterator[Finding]:
    newest = health.oldest_forecast(connection)
    if newest is None:
        yield Finding(
            subject="forecasts",
            verdict="warning",
            fact="none has been issued within a day",
            remedy="is `arterial worker` running?",
        )
        return
    age = datetime.now(UTC) - newest
    verdict: Verdict = "ok" if age < timedelta(minutes=2 * settings.forecast_every_minutes) else "warning"
    yield Finding(
        subject="forecasts",
        verdict=verdict,
        fact=f"none in use is older than {age.total_seconds() / 60:.0f} min",
        remedy=None if verdict == "ok" else "is `arterial worker` running? Its log has the reason",
    )


def _covariates(connection: Connection) -> Iterator[Finding]:
    for one in covariates.summary(connection):
        where = "" if one.district is None else f" in {one.district}"
        age = datetime.now(UTC) - one.newest_issue
        fact = f"{one.variable}{where} was last issued at {one.newest_issue:%Y-%m-%d %H:%M} UTC, up to {one.until:%Y-%m-%d %H:%M} UTC"
        if one.forecasts and age > _MOST_COVARIATE_AGE:
            yield Finding(
                subject="covariates",
                verdict="warning",
                fact=fact,
                remedy="forecasts lean on what was seen last: import newer with `arterial covariates import FILE`",
            )
        else:
            yield Finding(subject="covariates", verdict="ok", fact=fact)


def _school_holidays(settings: Settings) -> Iterator[Finding]:
    if settings.school_holidays is None:
        return
    try:
        known = city_calendar(settings).school_breaks
    except InputError as error:
        yield Finding(
            subject="school holidays", verdict="wrong", fact=str(error), remedy="correct ARTERIAL_SCHOOL_HOLIDAYS"
        )
        return
    last = date.fromordinal(date(1970, 1, 1).toordinal() + known[-1][1])
    over = last < datetime.now(settings.zone).date()
    yield Finding(
        subject="school holidays",
        verdict="warning" if over else "ok",
        fact=f"{len(known)} periods, the last until {last}",
        remedy="add the coming ones to the file" if over else None,
    )
