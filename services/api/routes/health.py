"""Code concerned with health: alive, ready and why not, the fate of every message, and the dead letters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final

import psycopg
from fastapi import APIRouter
from prometheus_client.exposition import choose_encoder
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import Accept, ConnectionDep, Cursor, FlatFormatParam, Limit, Now, PoolDep
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, json_response, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import Alive, DeadLetterPage, IngestHealth, Readiness
from services.storage import dead_letters, health
from services.storage.database import Connection, first_line
from services.storage.dead_letters import DeadLetter
from services.storage.migrate import available, version_of

router = APIRouter(tags=["Health"])
probes = APIRouter(tags=["Health"])

INGEST_SILENCE: Final = timedelta(seconds=60)
HEARTBEAT_AGE: Final = timedelta(seconds=30)
FORECAST_AGE: Final = timedelta(minutes=20)
_READINESS: Final[dict[int | str, dict[str, Any]]] = {200: {"model": Readiness}, 503: {"model": Readiness}}
_PATIENCE_S: Final = 2.0
_DEAD_LETTER: Final = tuple(field.name for field in fields(DeadLetter))


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at. Only what is `required` decides about readiness."""

    name: str
    ok: bool
    required: bool
    detail: str


@probes.head("/healthz", include_in_schema=False)
@probes.get("/healthz", responses={200: {"model": Alive}}, summary="Alive?")
def read_alive() -> Response:
    """The process answers; nothing else is looked at."""
    return json_response({"status": "ok"})


@probes.head("/readyz", include_in_schema=False)
@probes.get("/readyz", responses=_READINESS, summary="Ready?")
def read_ready(pool: PoolDep, now: Now) -> Response:
    """Whether requests can be answered from current data: 200 when all required checks hold, else 503 with the reasons."""
    return _readiness(pool, now)


@probes.get("/metrics", include_in_schema=False)
def read_metrics(request: Request, accept: Accept = None) -> Response:
    """Figures for Prometheus: requests by route, and the counters of ingest sessions."""
    encode, content_type = choose_encoder(accept or "")
    return Response(encode(request.app.state.requests.registry), media_type=content_type)


@router.get("/health", responses=_READINESS, summary="Ready, and why not")
def read_health(pool: PoolDep, now: Now) -> Response:
    """The same as `/readyz`."""
    return _readiness(pool, now)


def _readiness(pool: PoolDep, now: Now) -> Response:
    try:
        with pool.connection(timeout=_PATIENCE_S) as connection:
            checks = _checks(connection, now)
    except (PoolTimeout, psycopg.OperationalError) as error:
        checks = [Check(name="database", ok=False, required=True, detail=f"does not answer: {first_line(error)[:120]}")]
    ready = all(check.ok for check in checks if check.required)
    status = "ready" if ready else "not ready"
    return json_response({"status": status, "checks": checks}, {"Cache-Control": "no-store"}, 200 if ready else 503)


def _checks(connection: Connection, now: Now) -> list[Check]:
    version, wanted = version_of(connection), len(available())
    checks = [
        Check(name="database", ok=True, required=True, detail="answers"),
        Check(
            name="migrations",
            ok=version == wanted,
            required=True,
            detail=f"at version {version} of {wanted}" + ("" if version == wanted else ": run `arterial migrate`"),
        ),
    ]
    if version != wanted:
        return checks
    sessions = health.ingest_sessions(connection)
    seen = sessions[0].seen_at if sessions else None
    heard = seen is not None and now - seen <= INGEST_SILENCE
    said = "no session within a day" if seen is None else f"last heard {_seconds(now - seen)} s ago"
    silent = [one.client_id for one in sessions if now - one.seen_at > INGEST_SILENCE]
    if heard and silent:
        said += f"; not heard, so that the broker keeps their messages: {', '.join(silent)}"
    checks.append(Check(name="ingest", ok=heard, required=True, detail=said))
    beats = [
        one.heartbeat_at for one in sessions if one.heartbeat_at is not None and now - one.seen_at <= INGEST_SILENCE
    ]
    oldest = min(beats, default=None)
    fresh = oldest is not None and now - oldest <= HEARTBEAT_AGE
    said = (
        "none has gone the whole way" if oldest is None else f"last went the whole way {_seconds(now - oldest)} s ago"
    )
    checks.append(Check(name="heartbeat", ok=fresh, required=False, detail=said))
    issued = health.oldest_forecast(connection)
    fresh = issued is not None and now - issued <= FORECAST_AGE
    said = (
        "none has been issued within a day"
        if issued is None
        else f"none in use is older than {_seconds(now - issued)} s"
    )
    checks.append(Check(name="forecast", ok=fresh, required=False, detail=said))
    return checks


def _seconds(age: timedelta) -> int:
    return max(0, round(age.total_seconds()))


@router.get("/health/ingest", responses=documented(IngestHealth, Format.JSON), summary="The fate of every message")
def read_ingest(connection: ConnectionDep) -> Response:
    """Counters of each ingest session: received = stored + duplicate + dead_lettered + spooled + in_flight.

    As though personal messages had never come: how many there were at a moment would say whether somebody was there.
    """
    sessions = [asdict(one) | {"accounted": one.accounted} for one in health.ingest_sessions(connection)]
    equation = "received = stored + duplicate + dead_lettered + spooled + in_flight"
    document = {
        "equation": equation,
        "accounted": all(session["accounted"] for session in sessions),
        "sessions": sessions,
    }
    return json_response(document)


@router.get(
    "/dead-letters", responses=documented(DeadLetterPage, *FLAT_FORMATS), summary="Messages that were not readings"
)
def list_dead_letters(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Dead letters, newest first: topic, length and the reason in words; their bytes stay in the database."""
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    question = fingerprint(["dead-letters"])
    before = int(decode_cursor(cursor, question, (int,))[0]) if cursor else 2**62
    most = limit or DEFAULT_LIMIT
    found = dead_letters.recent(connection, before=before, limit=most + 1)
    page, following = cut(found, most, lambda one: (one.id,), request, question)
    rows = list(map(attrgetter(*_DEAD_LETTER), page))
    name = f"arterial-dead-letters-{now:%Y%m%dT%H%MZ}"
    return list_response(chosen, _DEAD_LETTER, rows, name=name, meta={}, following=following)
