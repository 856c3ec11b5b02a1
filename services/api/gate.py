"""Code concerned with every request before and after its route: limits, request number, security headers, access log."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Final

import structlog
from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.metrics import Requests
from services.api.problems import problem_response
from services.api.trail import Trail

MOST_QUERY_BYTES: Final = 16_384
MOST_BODY_BYTES: Final = 65_536
MOST_DASHBOARD_BODY_BYTES: Final = 4_194_304
DASHBOARD: Final = "/dash"
_PROBES: Final = {"/healthz", "/readyz", "/metrics"}

_API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_DASHBOARD_POLICY: Final = "frame-ancestors 'self'"
_log = structlog.get_logger("arterial.access")


class Gate:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, requests: Requests, trail: Trail) -> None:
        self._app = app
        self._requests = requests
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is too large, let the rest through, and log one line without query values.

        What browsers and probes ask every second is logged at level debug.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = scope["method"]
        scope = _without_empty_fields(scope)
        if (
            asked == "HEAD"
        ):  # what can be read can be asked for its head (RFC 9110, 9.3.2); the server sends no body then
            scope["method"] = "GET"
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if asked != "HEAD":
                    await self._note_export(scope, Headers(raw=message["headers"]), request_id)
                _secure(MutableHeaders(scope=message), scope["path"], request_id)
            await send(message)

        refusal = _refusal(scope)
        try:
            if refusal is None:
                await self._app(scope, receive, send_on)
            else:
                slug, detail = refusal
                await problem_response(scope["path"], request_id, slug, detail)(scope, receive, send_on)
        finally:
            seconds = time.perf_counter() - started
            milliseconds = round(seconds * 1000, 1)
            self._requests.answered(scope, status, seconds, in_dashboard=_in_dashboard(scope["path"]))
            quiet = _in_dashboard(scope["path"]) or scope["path"] in _PROBES
            _log.log(
                logging.DEBUG if quiet else logging.INFO,
                "request",
                method=asked,
                path=scope["path"],
                status=status,
                milliseconds=milliseconds,
                request_id=request_id,
            )

    async def _note_export(self, scope: Scope, headers: Headers, request_id: str) -> None:
        """Write a file into the audit log before its first byte goes out; where that fails, so does the request."""
        if headers.get("content-disposition", "").startswith("attachment"):
            query, media_type = scope["query_string"].decode("ascii", "replace"), headers.get("content-type", "")
            await run_sync(self._trail.exported, scope["path"], query, media_type, request_id)


def _without_empty_fields(scope: Scope) -> Scope:
    """The request without parameters like `kind=`, which is how a form sends a field that was left empty."""
    fields = scope["query_string"].split(b"&")
    kept = b"&".join(field for field in fields if not field.endswith(b"=") or field.count(b"=") > 1)
    return {**scope, "query_string": kept}


def _refusal(scope: Scope) -> tuple[str, str] | None:
    """The type of problem and its detail when a request is too large to be looked at."""
    if len(scope["query_string"]) > MOST_QUERY_BYTES:
        return "uri-too-long", f"the query has {len(scope['query_string'])} bytes, at most {MOST_QUERY_BYTES} are read"
    headers = Headers(scope=scope)
    most = MOST_DASHBOARD_BODY_BYTES if _in_dashboard(scope["path"]) else MOST_BODY_BYTES
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers and "content-length" not in headers:
        return "length-required", "the body's length is not given"
    if not length.isdecimal() or int(length) > most:
        return "content-too-large", f"a body may have {most} bytes here"
    return None


def _in_dashboard(path: str) -> bool:
    return path == DASHBOARD or path.startswith(f"{DASHBOARD}/")


def _secure(headers: MutableHeaders, path: str, request_id: str) -> None:
    """Headers that keep a browser from sniffing, framing or telling others; a page's own policy stays as it is."""
    dashboard = _in_dashboard(path)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "SAMEORIGIN" if dashboard else "DENY")
    headers.setdefault("Content-Security-Policy", _DASHBOARD_POLICY if dashboard else _API_POLICY)
    headers.setdefault("X-Request-Id", request_id)
    if not dashboard:
        headers.setdefault("Cache-Control", "no-cache")
