"""Code concerned with the settings of privacy: the budget, the plans that are on, and how long personal rows live."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class PrivacySettings(BaseModel):
    """What is released, and at which price."""

    model_config = ConfigDict(frozen=True)

    privacy_epsilon_day: float = Field(
        default=1.0, gt=0, le=2.64, description="Privacy budget of one subject's local day, per domain (epsilon)."
    )
    privacy_plans: tuple[str, ...] = Field(
        default=("presence", "district_energy", "bike_stations", "charging"),
        description="The release plans that are on, as a JSON list; the shares of the daily budget of one domain add up to at "
        'most 1. `name=share` gives a plan another share than its file: ["presence=0.4", "origin_destination", "speeds", '
        '"trip_lengths"].',
    )
    privacy_objection_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The secret, at least 32 characters, under which ingest knows who objected; the same on every machine, and "
        "kept: with another one all personal readings are dropped. Empty: DATA_DIR/objection.key, made when it is first needed.",
    )
    personal_retention_hours: int = Field(
        default=48, ge=25, le=48, description="Raw personal rows and their day keys are destroyed after this long [h]."
    )

    @property
    def personal_retention(self) -> timedelta:
        """How long raw personal rows live."""
        return timedelta(hours=self.personal_retention_hours)
