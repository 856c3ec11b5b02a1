"""Code concerned with the settings of the city: its name, its days and its holidays."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator


class CitySettings(BaseModel):
    """Which city it is."""

    model_config = ConfigDict(frozen=True)

    city_name: str = Field(default="Arterial demo city", max_length=80, description="Shown in the dashboard.")
    city_timezone: str = Field(
        default="Europe/Berlin", description="IANA time zone in which the city's days begin, for privacy and display."
    )
    city_country: str = Field(
        default="DE", min_length=2, max_length=2, description="ISO 3166 country whose public holidays apply."
    )
    city_region: str | None = Field(
        default="BE", description="Region of the country for regional holidays, as in ISO 3166-2 without the country."
    )

    school_holidays: Path | None = Field(
        default=None,
        description="A CSV file of school holidays, `start,end` and if wanted `region,name`, both days included: their working "
        "days are forecast as days of their own. Empty: they are working days like others.",
    )

    @field_validator("city_timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            message = f"{zone!r} is not an IANA time zone such as Europe/Berlin"
            raise ValueError(message)
        return zone

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.city_timezone)
