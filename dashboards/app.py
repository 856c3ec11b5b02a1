"""Code concerned with the dashboard as an application: mounted beside the API, routed by path, kept live."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, NoReturn

import dash
import structlog
from dash import ALL, Dash, Input, Output, State, html
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards import address, emptiness, frame
from dashboards.context import City, in_browser, threaded
from dashboards.pages import PAGES
from dashboards.theme import scheme_of
from services.errors import UnavailableError
from services.settings import Settings
from services.storage import overview
from services.storage.database import Pool

_log = structlog.get_logger("arterial.dashboard")


class StripPrefix:
    """Hands Dash the path without its mount point, and the index for each of its pages.

    Starlette leaves the mount point in `scope["path"]`, which Dash compares with its own prefix and would refuse.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
            if path.strip("/") in address.PAGES:
                path = "/"
            scope = {**scope, "path": path, "root_path": ""}
        await self._app(scope, receive, send)


def mount(api: FastAPI, settings: Settings, pool: Pool) -> None:
    """Serve the dashboard of a city under `/dash/` of `api`.

    Args:
        api: the application of the API; its other paths keep their own answers.
        settings: name and zone of the city.
        pool: read-only connections of role `arterial_api`.

    """
    api.mount(address.PREFIX.rstrip("/"), StripPrefix(_make_app(City(settings=settings, pool=pool))))


def _make_app(city: City) -> ASGIApp:
    server: Any = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app = Dash(
        __name__,
        server=server,
        routes_pathname_prefix="/",
        requests_pathname_prefix=address.PREFIX,
        assets_folder=str(Path(__file__).parent / "assets"),
        use_pages=False,
        pages_folder="",
        serve_locally=True,
        suppress_callback_exceptions=True,  # the parts of a page exist only while it is shown
        title=f"Arterial · {city.settings.city_name}",
        update_title="",
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1, viewport-fit=cover"}],
        websocket_callbacks=False,
        add_log_handler=False,
        on_error=_report,
    )
    app.backend.websocket_capability = False  # updates come by interval; without this every page opens a socket
    app.layout = frame.frame(city)
    _route(app, city)
    _keep_live(app, city)
    _controls(app, city)
    for page in PAGES.values():
        page.register(app, city)
    handler: ASGIApp = server
    return handler


def _report(error: Exception) -> NoReturn:
    """Log what a callback did not expect; Dash itself would answer 500 without a trace."""
    _log.error("page failed", traceback="".join(traceback.format_exception(error)))
    raise error


def _route(app: Dash, city: City) -> None:
    in_browser(app, "route", Output("route", "data"), Input("url", "pathname"))

    @app.callback(Output("page", "children"), Input("route", "data"))
    @threaded
    def show(route: dict[str, Any]) -> Any:
        name = _page_name(route["path"])
        if name not in PAGES:
            return emptiness.no_sensor("There is no page at this address.")
        try:
            return PAGES[name].layout(
                city, address.read_view(route["search"], route.get("width")), scheme_of(route["scheme"])
            )
        except UnavailableError as error:
            return html.Section(emptiness.failed(str(error)), className="card")

    @app.callback(
        Output("nav", "children"), Output("range", "hidden"), Input("url", "pathname"), Input("url", "search")
    )
    @threaded
    def navigate(path: str, search: str) -> Any:
        page = _page_name(path)
        return frame.navigation(page, address.read_view(search)), page not in address.RANGED


def _page_name(path: str | None) -> str:
    return (path or "").removeprefix(address.PREFIX.rstrip("/")).strip("/")


def _keep_live(app: Dash, city: City) -> None:
    in_browser(
        app,
        "theme",
        [Output("scheme", "data"), Output("mantine", "forceColorScheme")],
        [Input("url", "search"), Input("system", "data")],
    )
    in_browser(
        app,
        "pace",
        [Output("tick", "interval"), Output("tick", "disabled")],
        [Input("url", "search"), Input("seen", "data")],
    )
    in_browser(
        app,
        "age",
        [Output("age", "children"), Output("age", "data-level")],
        [Input("second", "n_intervals"), Input("version", "data"), State("url", "search")],
    )

    @app.callback(
        Output("version", "data"), Input("tick", "n_intervals"), Input("seen", "data"), State("version", "data")
    )
    @threaded
    def look(_tick: int, seen: bool | None, known: dict[str, Any] | None) -> Any:
        if seen is False:
            return dash.no_update
        try:
            with city.reading() as connection:
                newest = overview.data_version(connection)
        except UnavailableError:
            version = {"newest": known["newest"] if known else None, "key": "failed"}
        else:
            version = {
                "newest": newest.newest_at.timestamp() if newest.newest_at else None,
                "key": f"{newest.newest_at}/{newest.processed}/{newest.run}/{newest.released_at}",
            }
        return dash.no_update if known is not None and known["key"] == version["key"] else version


def _controls(app: Dash, city: City) -> None:
    every = {"type": "control", "name": ALL, "default": ALL}
    in_browser(
        app, "commit", Output("sink", "data"), Input(every, "value"), State(every, "id"), prevent_initial_call=True
    )
    in_browser(
        app, "follow", Output("sink2", "data"), Input("url", "search"), State(every, "id"), State(every, "value")
    )
    in_browser(app, "go", Output("sink3", "data"), Input("go", "data"), prevent_initial_call=True)

    @app.callback(
        Output("go", "data"),
        Input("range-apply", "n_clicks"),
        State("range-from", "value"),
        State("range-to", "value"),
        prevent_initial_call=True,
    )
    @threaded
    def apply_range(_clicks: int, start: str | None, end: str | None) -> Any:
        return frame.custom_search(start, end, city) or dash.no_update
