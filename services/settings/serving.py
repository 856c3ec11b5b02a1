"""Code concerned with the settings of API and dashboard."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services.settings.addresses import Port


class ServingSettings(BaseModel):
    """Where API and dashboard answer."""

    model_config = ConfigDict(frozen=True)

    api_host: str = Field(default="127.0.0.1", description="Address the API and the dashboard listen on.")
    api_port: Port = Field(default=8000, description="Port the API and the dashboard listen on.")
    api_statement_timeout_s: int = Field(
        default=15, ge=1, le=300, description="A query of the API is cancelled after this long [s]."
    )
    public_url: str | None = Field(
        default=None, description="The address people use when a proxy stands in front: https://city.example."
    )
