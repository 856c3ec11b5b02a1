"""Code concerned with the door of an ingest process for machines that watch it: /metrics, /ready and /live."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from services.errors import ConfigurationError

_PATIENCE_S: Final = 5.0


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; whoever connects and says nothing is sent away."""

    timeout = _PATIENCE_S
    server_version = "arterial"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        """Answer one of the three, or say that there is nothing else."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.server.registry), content_type)
        elif path == "/ready":
            reasons = self.server.trouble()
            document = {"status": "not ready" if reasons else "ready", "reasons": reasons}
            self._answer(503 if reasons else 200, json.dumps(document).encode(), "application/json")
        elif path == "/live":
            self._answer(200, b'{"status": "ok"}', "application/json")
        else:
            self._answer(404, b"there are /metrics, /ready and /live\n", "text/plain; charset=utf-8")

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Be silent: probes come every few seconds."""


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, trouble: Callable[[], list[str]]) -> None:
        self.registry = registry
        self.trouble = trouble
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away."""


@contextmanager
def listening(
    host: str, port: int | None, registry: CollectorRegistry, trouble: Callable[[], list[str]]
) -> Iterator[None]:
    """Answer in threads of its own; without a port, do nothing.

    Args:
        host: the address to listen on.
        port: the TCP port, or None.
        registry: what /metrics shows.
        trouble: why the process is not ready, in sentences; empty when it is.

    Raises:
        ConfigurationError: the address is not ours or the port is in use.

    """
    if port is None:
        yield
        return
    try:
        server = _Server((host, port), registry, trouble)
    except OSError as error:
        message = (
            f"{host}:{port} cannot be listened on ({error.strerror or error}): "
            "choose another ARTERIAL_INGEST_METRICS_HOST or ARTERIAL_INGEST_METRICS_PORT"
        )
        raise ConfigurationError(message) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
