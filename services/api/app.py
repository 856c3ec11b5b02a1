"""Code concerned with the application: which routes there are, what surrounds them, and its OpenAPI document."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.responses import RedirectResponse

from services.api import problems
from services.api.deps import only_known_parameters
from services.api.docs import add_docs
from services.api.exports import Exports
from services.api.gate import DASHBOARD, Gate
from services.api.metrics import Requests
from services.api.routes import (
    composition,
    congestion,
    diagnoses,
    energy,
    energy_ahead,
    forecasts,
    governance,
    health,
    maps,
    mobility,
    observations,
    one_release,
    released,
    released_ahead,
    sensors,
)
from services.api.schemas import ProblemDocument
from services.api.trail import Trail
from services.settings import Settings
from services.storage.database import Pool

PREFIX: Final = "/api/v1"
_VERSION: Final = "1.0"
_COMPRESSED_FROM: Final = 1_024
_NOT_COMPRESSED: Final = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/vnd.apache.parquet", "text/csv")
"""Parquet is compressed already, and a long table streams as fast as it is read: a proxy may compress it."""
_DESCRIPTION: Final = """
Everything the platform stores about fixed sensors, forecasts and released aggregates, for reading.

Times are RFC 3339, given in any offset and answered in UTC; time ranges are half-open. Lists come in pages: follow `next`.
Every list can also be had as CSV, Parquet or GeoJSON, by the header Accept or by `?format=`. Errors are RFC 9457 problem
documents whose `type` explains itself. Personal data is not here: only what was released with differential privacy.
"""


class _Api(FastAPI):
    """FastAPI whose OpenAPI document also holds the shape of problem documents, which no route returns by type."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        shape = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"].setdefault(ProblemDocument.__name__, shape)
        return document


def create_app(settings: Settings, pool: Pool) -> FastAPI:
    """The API; the dashboard is mounted into it by whoever runs it.

    Args:
        settings: of this process.
        pool: read-only connections as role arterial_api; opened and closed by the caller.

    """
    app = _Api(
        title="Arterial",
        version=_VERSION,
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=attrgetter("name"),
    )
    app.state.settings = settings
    app.state.pool = pool
    app.state.exports = Exports()
    app.state.public_url = settings.public_url and settings.public_url.rstrip("/")
    problems.install(app)
    app.state.requests = Requests(pool)
    app.state.trail = Trail(pool)
    app.add_middleware(Gate, requests=app.state.requests, trail=app.state.trail)
    app.add_middleware(
        GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=6, exclude_content_types=_NOT_COMPRESSED
    )
    versioned = APIRouter(prefix=PREFIX, dependencies=[Depends(only_known_parameters)])
    for module in (
        sensors,
        observations,
        forecasts,
        congestion,
        mobility,
        released,
        released_ahead,
        one_release,
        composition,
        governance,
        energy,
        energy_ahead,
        maps,
        diagnoses,
        health,
    ):
        versioned.include_router(module.router)
    app.include_router(versioned)
    app.include_router(health.probes, dependencies=[Depends(only_known_parameters)])
    add_docs(app)
    app.add_api_route("/", _to_dashboard, include_in_schema=False)
    app.add_api_route("/privacy", _to_transparency, include_in_schema=False)
    return app


def _to_dashboard() -> RedirectResponse:
    return RedirectResponse(f"{DASHBOARD}/", 307)


def _to_transparency() -> RedirectResponse:
    return RedirectResponse(f"{DASHBOARD}/privacy", 307)
