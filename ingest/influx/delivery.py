"""Code concerned with handing lines to an InfluxDB v2 server, and with what its answer means for them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Literal, Self

import msgspec
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService
from urllib3.exceptions import HTTPError

from services.errors import ConfigurationError
from services.settings import Settings

Verdict = Literal["taken", "later", "refused", "blocked"]
"""`later`: the same lines may be taken when tried again. `refused`: for what they say. `blocked`: a person must act."""

_TIMEOUT_MS: Final = 10_000
_LONGEST_WAIT_S: Final = 3_600.0
_LEVEL: Final = 1
"""Of gzip: the client's own 9 takes four times as long for a sixth less."""
_SHOWN: Final = 300
_PARTIAL: Final = re.compile(r"partial write: .*\bdropped=(\d+)")
"""How InfluxDB says that it took all lines but some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of some lines.

    Attributes:
        verdict: whether they are there, and if not what to do.
        reason: a sentence for a person; empty when they were taken.
        wait_s: how long the server asks to be left alone [s], None when it does not.
        lost: how many of the lines were refused though the rest was taken.

    """

    verdict: Verdict
    reason: str = ""
    wait_s: float | None = None
    lost: int = 0


class Server:
    """An InfluxDB v2 server and the bucket that is written or read."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is sent yet.

        Raises:
            ConfigurationError: no server is configured.

        """
        if settings.influx_url is None:
            message = "no InfluxDB server is configured: set ARTERIAL_INFLUX_URL, and with it the token, org and bucket"
            raise ConfigurationError(message)
        self.url, self.org, self.bucket = settings.influx_url, settings.influx_org, settings.influx_bucket
        token = settings.influx_token.get_secret_value() if settings.influx_token else ""
        self.client = InfluxDBClient(url=self.url, token=token, org=self.org, timeout=_TIMEOUT_MS)
        self._writing = WriteService(self.client.api_client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.client.close()

    def write(self, lines: Sequence[str]) -> Answer:
        """Send lines, with times in microseconds, in one request."""
        body = gzip.compress("\n".join(lines).encode(), _LEVEL)
        try:
            self._writing.post_write(self.org, self.bucket, body, precision=WritePrecision.US, content_encoding="gzip")
        except ApiException as error:
            return self._judged(error)
        except HTTPError as error:
            return Answer(verdict="later", reason=f"{self.url} does not answer: {type(error).__name__}")
        return Answer(verdict="taken")

    def explain(self, error: ApiException) -> str:
        """What a refusal says and what to do about it."""
        status = error.status
        said = _said(error)
        if status == 401:
            return f"{self.url} does not accept the token: set ARTERIAL_INFLUX_TOKEN to one it knows ({said})"
        if status == 403:
            return f"the token has no right to the bucket {self.bucket!r} of {self.org!r}: give it one ({said})"
        if status == 404:
            return (
                f"{self.url} knows no bucket {self.bucket!r} of organisation {self.org!r}, or has no v2 API "
                f"(InfluxDB 1 has none): make the bucket, or set ARTERIAL_INFLUX_BUCKET, _ORG or _URL ({said})"
            )
        return f"{self.url} answers {status}: {said}"

    def _judged(self, error: ApiException) -> Answer:
        status = error.status or 0
        if status in {400, 413, 422}:
            partial = _PARTIAL.search(_said(error))
            if partial is not None:
                return Answer(verdict="taken", reason=_said(error), lost=int(partial[1]))
            return Answer(verdict="refused", reason=_said(error))
        if status in {0, 408, 429} or status >= 500:
            headers = error.headers or {}
            return Answer(verdict="later", reason=self.explain(error), wait_s=_wait(headers.get("Retry-After")))
        return Answer(verdict="blocked", reason=self.explain(error))


def _said(error: ApiException) -> str:
    """The server's own words."""
    body = error.body if isinstance(error.body, str) else (error.body or b"").decode("utf-8", "replace")
    try:
        message = msgspec.json.decode(body)["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        message = body or error.reason or "no reason given"
    return " ".join(str(message).split())[:_SHOWN]


def _wait(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, in either of its two forms; at most an hour."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)
