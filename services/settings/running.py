"""Code concerned with the settings of a process: where it keeps data, and how it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RunningSettings(BaseModel):
    """How a process runs."""

    model_config = ConfigDict(frozen=True)

    data_dir: Path = Field(
        default=Path(".arterial"),
        description="Where the embedded database and broker, and the spool of ingest, keep their data.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="Log lines for people (console) or machines (json); auto asks whether this is a terminal.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line."
    )
