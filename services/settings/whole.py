"""Code concerned with all settings together: where they are read from, and what they ask of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from services.settings.audit_log import AuditLogSettings
from services.settings.broker import BrokerSettings
from services.settings.city import CitySettings
from services.settings.database import DatabaseSettings
from services.settings.forecasting import ForecastSettings
from services.settings.governance import GovernanceSettings
from services.settings.influx import InfluxSettings
from services.settings.ingest import IngestSettings
from services.settings.privacy import PrivacySettings
from services.settings.running import RunningSettings
from services.settings.secret_files import PREFIX, SecretFiles
from services.settings.serving import ServingSettings


class Settings(
    RunningSettings,
    GovernanceSettings,
    AuditLogSettings,
    PrivacySettings,
    ForecastSettings,
    ServingSettings,
    CitySettings,
    InfluxSettings,
    IngestSettings,
    BrokerSettings,
    DatabaseSettings,
    BaseSettings,
):
    """Everything an operator can set, the fields of the last base first. Frozen: a process reads its settings once, at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", toml_file="arterial.toml"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over `*_FILE` secrets, those over `arterial.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretFiles(settings_cls), TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _window_holds_batches(self) -> Self:
        if self.mqtt_receive_maximum < 4 * self.ingest_batch_messages:
            message = (
                f"mqtt_receive_maximum ({self.mqtt_receive_maximum}) must be at least 4 x ingest_batch_messages "
                f"({self.ingest_batch_messages}), or each batch waits for its age limit"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _groups_speak_version_5(self) -> Self:
        if self.mqtt_protocol != "5" and (self.ingest_processes > 1 or self.mqtt_share_group is not None):
            message = (
                "several ingest processes need MQTT 5, whose shared subscriptions divide the messages among them: set "
                "ARTERIAL_MQTT_PROTOCOL=5 with a broker that speaks it, or run one process"
            )
            raise ValueError(message)
        return self

    def checkpoint_dir(self) -> Path:
        """Where signed checkpoints of the audit log are written."""
        return self.audit_checkpoint_dir or self.data_dir / "audit" / "checkpoints"
