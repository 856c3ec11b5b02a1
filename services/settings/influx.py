"""Code concerned with the settings of the copy in InfluxDB."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class InfluxSettings(BaseModel):
    """Where the copy goes."""

    model_config = ConfigDict(frozen=True)

    influx_url: str | None = Field(
        default=None,
        description="An InfluxDB v2 server that gets a copy of what ingest stores, without personal data: "
        "http://host:8086. Empty: no copy.",
    )
    influx_token: SecretStr | None = Field(
        default=None, description="A token of that server that may write (to import: read) the bucket."
    )
    influx_org: str = Field(default="", description="The organisation the bucket belongs to, by name or id.")
    influx_bucket: str = Field(default="arterial", min_length=1, description="The bucket that gets the copy.")
    influx_spool_bytes: int = Field(
        default=1_073_741_824,
        ge=1_048_576,
        description="How much each ingest process may keep on disk for that server while it is away; when this is "
        "full, further rows are left out of the copy, counted and logged [bytes].",
    )

    @field_validator("influx_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
            message = "a URL such as http://host:8086 is needed, without a user; the token is a setting of its own"
            raise ValueError(message)
        return url.rstrip("/")
