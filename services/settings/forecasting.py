"""Code concerned with the settings of forecasting: how often, from how much, kept how long."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ForecastSettings(BaseModel):
    """How forecasts are made."""

    model_config = ConfigDict(frozen=True)

    forecast_every_minutes: int = Field(
        default=15, ge=5, le=60, description="How often every live sensor is forecast anew [minutes]."
    )
    forecast_history_days: int = Field(
        default=56, ge=7, le=730, description="How much history the models are fitted to [days]."
    )
    forecast_keep_days: int = Field(
        default=30,
        ge=3,
        le=730,
        description="How long the first forecast of each hour is kept; others two days [days].",
    )
