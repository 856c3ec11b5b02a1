"""Code concerned with errors as RFC 9457 problem documents: every error of the API, and what each type means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import psycopg
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.errors import ArterialError
from services.storage.database import first_line

MEDIA_TYPE: Final = "application/problem+json"
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
_log = structlog.get_logger("arterial.api")


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What one type of problem is and what helps."""

    status: int
    title: str
    help: str


PROBLEMS: Final[dict[str, Meaning]] = {
    "bad-request": Meaning(
        status=400, title="The request cannot be understood", help="Check the request against /docs."
    ),
    "not-found": Meaning(
        status=404,
        title="There is nothing of that name",
        help="Check the path against /docs and the sensor's code against /api/v1/sensors.",
    ),
    "method-not-allowed": Meaning(
        status=405,
        title="This resource can only be read",
        help="Use GET; the header Allow lists the methods. Readings come in over MQTT, not over this API.",
    ),
    "not-acceptable": Meaning(
        status=406,
        title="The resource cannot be had in that format",
        help="Ask for one of the formats the detail lists, with the header Accept or with ?format=.",
    ),
    "length-required": Meaning(
        status=411, title="A body without a length is not read", help="Send the header Content-Length, or no body."
    ),
    "content-too-large": Meaning(status=413, title="The request's body is too large", help="Send a smaller body."),
    "uri-too-long": Meaning(
        status=414, title="The query is too long", help="Name fewer sensors at once, or ask for a kind or a district."
    ),
    "input": Meaning(
        status=422,
        title="The request cannot be used as it is",
        help="`detail` says what is wrong; `errors` lists each parameter. /docs shows every parameter with an example.",
    ),
    "too-many-requests": Meaning(
        status=429, title="Too many exports at once", help="Wait as long as Retry-After says, then ask again."
    ),
    "privacy-budget-exhausted": Meaning(
        status=429,
        title="The privacy budget of that day is spent",
        help="What has been published of that day stays available; nothing more can be published about it. Asking again does not "
        "help; /api/v1/privacy/ledger shows what the day's budget was spent on.",
    ),
    "internal": Meaning(
        status=500,
        title="Something went wrong inside Arterial",
        help="Ask again; if it stays, report the request_id: the server's log has the cause under it.",
    ),
    "storage": Meaning(
        status=500,
        title="The database is not in the state this version needs",
        help="Run `arterial doctor` on the server.",
    ),
    "configuration": Meaning(
        status=500, title="The server is not configured for this", help="Run `arterial doctor` on the server."
    ),
    "unavailable": Meaning(
        status=503,
        title="A service that Arterial depends on does not answer",
        help="Wait as long as Retry-After says; /readyz shows which service it is.",
    ),
    "too-slow": Meaning(
        status=503,
        title="The query took too long and was stopped",
        help="Ask for a shorter time, fewer sensors, or resolution=hour.",
    ),
}
_SLUG_OF_STATUS: Final = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 406: "not-acceptable"}
_RETRY_AFTER_S: Final = {429: "2", 503: "5"}


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A problem found by the API itself, of a type in `PROBLEMS`."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail


def problem_response(
    request_path: str,
    request_id: str | None,
    slug: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem document of one type, with what was wrong this time."""
    meaning = PROBLEMS[slug]
    document: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": meaning.title,
        "status": meaning.status,
        "detail": detail,
        "instance": request_path,
    }
    if errors:
        document["errors"] = list(errors)
    if request_id is not None:
        document["request_id"] = request_id
    retry = None if slug == "privacy-budget-exhausted" else _RETRY_AFTER_S.get(meaning.status)
    extra = dict(headers or {}) | ({} if retry is None else {"Retry-After": retry})
    extra["Cache-Control"] = "no-store"
    return Response(orjson.dumps(document), meaning.status, extra, media_type=MEDIA_TYPE)


def _respond(request: Request, slug: str, detail: str, **more: Any) -> Response:
    return problem_response(request.url.path, getattr(request.state, "request_id", None), slug, detail, **more)


def install(app: FastAPI) -> None:
    """Turn every exception that reaches the application into a problem document."""
    app.add_exception_handler(Problem, _from_problem)
    app.add_exception_handler(ArterialError, _from_arterial)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(psycopg.errors.QueryCanceled, _from_slow_query)
    app.add_exception_handler(psycopg.DataError, _from_data)
    app.add_exception_handler(psycopg.errors.InsufficientPrivilege, _from_refusal)
    app.add_exception_handler(psycopg.OperationalError, _from_database)
    app.add_exception_handler(PoolTimeout, _from_database)
    app.add_exception_handler(Exception, _from_anything)


def _from_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - tells the type checker what install() arranged
    return _respond(request, error.slug, error.detail)


def _from_arterial(request: Request, error: Exception) -> Response:
    assert isinstance(error, ArterialError)  # noqa: S101 - tells the type checker what install() arranged
    slug = error.slug if error.slug in PROBLEMS else "internal"
    return _respond(request, slug, str(error))


def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - tells the type checker what install() arranged
    facts = [{"parameter": _name(found["loc"]), "reason": _reason(found)} for found in error.errors()]
    detail = "; ".join(f"{fact['parameter']}: {fact['reason']}" for fact in facts)
    return _respond(request, "input", detail, errors=facts)


def _name(location: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _reason(found: Mapping[str, Any]) -> str:
    """What is wrong with one parameter, with the value that was given, cut short."""
    reason = str(found["msg"]).removeprefix("Value error, ").rstrip(".")
    reason = _ENUM_MEMBER.sub(r"\1", reason[:1].lower() + reason[1:])
    given = found.get("input")
    return f"{reason}, not {given[:60]!r}" if isinstance(given, str) else reason


def _from_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - tells the type checker what install() arranged
    slug = _SLUG_OF_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "internal")
    details = {
        "not-found": f"there is nothing at {request.url.path[:200]}",
        "method-not-allowed": f"{request.method} is not possible here",
    }
    return _respond(request, slug, details.get(slug, str(error.detail)), headers=error.headers)


def _from_slow_query(request: Request, error: Exception) -> Response:
    del error
    seconds = request.app.state.settings.api_statement_timeout_s
    return _respond(request, "too-slow", f"the query was stopped after {seconds} s: ask for less at once")


def _from_data(request: Request, error: Exception) -> Response:
    return _respond(request, "input", f"a value cannot be used: {first_line(error)[:200]}")


def _from_refusal(request: Request, error: Exception) -> Response:
    request_id = getattr(request.state, "request_id", None)
    _log.error("role_refused", path=request.url.path, request_id=request_id, cause=first_line(error))
    request.app.state.trail.denied(request.url.path, first_line(error), request_id)
    return _respond(request, "internal", "the database refuses this; nothing about it is shown here")


def _from_database(request: Request, error: Exception) -> Response:
    _log.warning("database_unavailable", path=request.url.path, cause=first_line(error))
    return _respond(request, "unavailable", "the database does not answer at the moment")


def _from_anything(request: Request, error: Exception) -> Response:
    request_id = getattr(request.state, "request_id", None)
    _log.error("unexpected_error", path=request.url.path, request_id=request_id, exc_info=error)
    return _respond(request, "internal", "an unexpected error; nothing about it is shown here")
