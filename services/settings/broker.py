"""Code concerned with the settings of the MQTT broker and of the session with it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from services.errors import ConfigurationError
from services.settings.addresses import known_scheme


class BrokerSettings(BaseModel):
    """Where the broker is, and how ingest takes from it."""

    model_config = ConfigDict(frozen=True)

    mqtt_url: SecretStr | None = Field(
        default=None,
        description="The broker: mqtt://user:password@host:1883, or mqtts:// for TLS. "
        "Empty: `arterial up` starts an embedded one.",
    )
    mqtt_protocol: Literal["5", "3.1.1"] = Field(default="5", description="The MQTT version spoken with the broker.")
    mqtt_client_id: str = Field(
        default="arterial-ingest",
        min_length=1,
        max_length=64,
        description="The stable client identifier of the ingest session; the broker keeps undelivered messages under it.",
    )
    mqtt_topics: tuple[str, ...] = Field(
        default=("city/v1/#", "v3/+/devices/+/up", "tms-v2/#"),
        description="Topic filters that ingest subscribes to, as a JSON list.",
    )
    mqtt_receive_maximum: int = Field(
        default=20_000, ge=100, le=65_535, description="Messages the broker may send before the first is acknowledged."
    )
    mqtt_session_expiry_s: int = Field(
        default=86_400, ge=60, description="How long the broker keeps the session of a disconnected ingest [s]."
    )
    mqtt_share_group: str | None = Field(
        default=None,
        pattern=r"^[^/+#\s]+$",
        max_length=64,
        description="Ingest processes on several machines divide the messages among them as members of this group (MQTT 5, "
        "shared subscriptions). Take a name that devices cannot guess, and keep it. Empty: the processes of this machine are "
        "all there are.",
    )
    mqtt_share_member: int = Field(
        default=1,
        ge=1,
        le=999,
        description="The number of this machine's first process in the group. Member 1 also takes what cannot be divided; "
        "the session of member 3 is the client identifier with -3 behind it.",
    )

    @field_validator("mqtt_url")
    @classmethod
    def _broker_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        return known_scheme(url)

    def broker_url(self) -> str:
        """The broker's URL.

        Raises:
            ConfigurationError: no broker is configured.

        """
        if self.mqtt_url is None:
            message = "no broker is configured: set ARTERIAL_MQTT_URL, or start everything with `arterial up`"
            raise ConfigurationError(message)
        return self.mqtt_url.get_secret_value()
