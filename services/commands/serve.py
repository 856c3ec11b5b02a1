"""`arterial serve`: the API with the dashboard, in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from services.commands.output import AsJson, report

if TYPE_CHECKING:
    import socket
    from types import FrameType

_GRACE_S = 4
_CONNECTIONS = 8


def serve(
    *,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port to listen on.", show_default="ARTERIAL_API_PORT")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the API and the dashboard until stopped; requests that run get four seconds to finish."""
    import signal

    import uvicorn

    from dashboards.app import mount
    from services.api.app import create_app
    from services.governance import configuration
    from services.logging import configure_logging
    from services.settings import load_settings
    from services.storage.database import pooled

    settings = load_settings({} if port is None else {"api_port": port})
    configure_logging(settings, "serve")
    configuration.note(settings, "serve")
    dsn = settings.role_dsn("api")
    listening = _listen(settings.api_host, settings.api_port)
    url = settings.public_url or f"http://{settings.api_host}:{settings.api_port}"
    lines = [f"Dashboard   {url}/dash/", f"API docs    {url}/docs"]

    class Server(uvicorn.Server):
        """Says where it listens once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            report({"api": url, "dashboard": f"{url}/dash/", "docs": f"{url}/docs"}, lines, as_json=as_json)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)  # uvicorn hands its signals back when it has shut down
    timeout_s = settings.api_statement_timeout_s
    with listening, pooled(dsn, application="api", statement_timeout_s=timeout_s, size=_CONNECTIONS) as pool:
        app = create_app(settings, pool)
        mount(app, settings, pool)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S
        )
        Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        ConfigurationError: the address is not ours or the port is in use.

    """
    import socket

    from services.errors import ConfigurationError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        message = (
            f"{host}:{port} cannot be listened on ({error.strerror}): choose another with --port or ARTERIAL_API_HOST"
        )
        raise ConfigurationError(message) from error


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise SystemExit(0)
