"""Code concerned with the settings: environment variables `ARTERIAL_*`, or an `arterial.toml`, each with a meaning.

A secret `ARTERIAL_X` can also be given as `ARTERIAL_X_FILE`, the path of a file that holds it.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from services.errors import ConfigurationError

PREFIX = "ARTERIAL_"
Role = Literal["ingest", "jobs", "api"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Route(BaseModel):
    """A rule of the operator: which dialect reads the messages of some topics, and under which names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str = Field(description="An MQTT topic filter.")
    dialect: str = Field(description="A name of docs/dialects.md.")
    read_as: str | None = Field(
        default=None,
        description="The topic, in the dialect's form, that messages are read as: {1} is the level of the first +, {#} "
        "what # stands for. Empty: their own.",
    )
    names: dict[str, str] = Field(default={}, description="Other names for columns and quantities.")
    units: dict[str, str] = Field(default={}, description="The units columns and quantities come in.")


class Settings(BaseSettings):
    """Everything an operator can set. Frozen: a process reads its settings once, at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", toml_file="arterial.toml"
    )

    # Where things are
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as its owner, used to migrate: postgresql://user:password@host:5432/arterial. "
        "Empty: `arterial up` starts an embedded one.",
    )
    database_password_ingest: SecretStr | None = Field(
        default=None, description="Password of role arterial_ingest, which writes readings."
    )
    database_password_jobs: SecretStr | None = Field(
        default=None, description="Password of role arterial_jobs, which forecasts and releases."
    )
    database_password_api: SecretStr | None = Field(
        default=None, description="Password of role arterial_api, which reads what may be shown."
    )
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

    # Ingest
    ingest_processes: int = Field(
        default=1, ge=1, le=64, description="How many processes `arterial ingest` runs on this machine."
    )
    ingest_batch_messages: int = Field(
        default=5_000,
        ge=1,
        description="Most messages of one database transaction; at most a quarter of the receive maximum.",
    )
    ingest_batch_age_s: float = Field(
        default=0.2, gt=0, le=10, description="Longest time a message waits for others before it is written [s]."
    )
    ingest_patience_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="When the database has not taken a batch for this long, messages go to the spool until it is back [s].",
    )
    ingest_spool_bytes: int = Field(
        default=2_147_483_648,
        ge=0,
        description="Most that may wait on disk, in DATA_DIR/spool, while the database is away; beyond that, and with 0, "
        "messages stay unacknowledged at the broker [bytes].",
    )
    ingest_max_payload_bytes: int = Field(
        default=262_144, ge=1_024, description="Larger payloads become dead letters [bytes]."
    )
    ingest_routes: tuple[Route, ...] = Field(
        default=(),
        description="Rules that say which dialect reads which topics, as a JSON list of objects with topic, dialect and, "
        "where needed, read_as, names and units; the first that matches counts. See docs/dialects.md.",
    )
    ingest_recognise: bool = Field(
        default=True,
        description="Whether a message whose topic no rule and no dialect has is read when its payload fits exactly one "
        "dialect; it is then logged and counted.",
    )
    ingest_future_tolerance_s: int = Field(
        default=300, ge=0, description="Timestamps further ahead of the server's clock are refused [s]."
    )
    dead_letter_days: int = Field(
        default=30, ge=1, le=3_650, description="Messages that could not be read are kept this long [days]."
    )
    ingest_oldest_days: int = Field(default=3_650, ge=1, description="Timestamps older than this are refused [days].")
    ingest_heartbeat_s: int = Field(
        default=10,
        ge=0,
        description="How often a message of ingest's own goes through broker and database, which readiness rests on [s]; "
        "0 sends none, for a broker on which ingest may only read.",
    )
    ingest_metrics_host: str = Field(
        default="127.0.0.1", description="Address on which ingest answers /metrics, /ready and /live."
    )
    ingest_metrics_port: Port | None = Field(
        default=None,
        description="Port on which ingest answers /metrics, /ready and /live, without a login. Empty: it does not listen.",
    )

    # A copy in InfluxDB
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

    # The city
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

    # Serving
    api_host: str = Field(default="127.0.0.1", description="Address the API and the dashboard listen on.")
    api_port: Port = Field(default=8000, description="Port the API and the dashboard listen on.")
    api_statement_timeout_s: int = Field(
        default=15, ge=1, le=300, description="A query of the API is cancelled after this long [s]."
    )
    public_url: str | None = Field(
        default=None, description="The address people use when a proxy stands in front: https://city.example."
    )

    # Forecasting
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

    # Privacy
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

    # The audit log
    audit_key_file: Path | None = Field(
        default=None,
        description="The private key that signs checkpoints of the audit log, readable by its owner only; made when it is not "
        "there. Empty: DATA_DIR/audit/signing-key.pem.",
    )
    audit_checkpoint_dir: Path | None = Field(
        default=None,
        description="Where a signed checkpoint of the audit log is written every night; a folder on another machine, for only "
        "what is kept elsewhere proves anything. Empty: DATA_DIR/audit/checkpoints.",
    )

    # Governance: what only the organisation that runs this can say
    governance_controller: str | None = Field(
        default=None, description="The organisation that answers for the processing (the controller of GDPR Art. 4(7))."
    )
    governance_address: str | None = Field(default=None, description="Its postal address, on one line.")
    governance_department: str | None = Field(
        default=None, description="The department or team that uses the platform."
    )
    governance_contact_email: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="The e-mail address for questions about data and algorithms.",
    )
    governance_data_protection_officer: str | None = Field(
        default=None, description="How to reach the data protection officer."
    )
    governance_lawful_basis: str | None = Field(
        default=None, description="The lawful basis of the processing: article and law."
    )
    governance_transfers: str | None = Field(
        default=None, description="Transfers of personal data to third countries and their safeguards, or: none."
    )
    governance_processors: tuple[str, ...] | None = Field(
        default=None,
        description="Who else processes personal data on the organisation's behalf, such as a host, as a JSON list; [] where "
        "nobody does.",
    )
    governance_objection: str | None = Field(
        default=None, description="How people can object to the use of the algorithms or to what comes out of them."
    )
    governance_status: (
        Literal["planned", "design", "development", "pilot", "evaluation", "operational", "retired"] | None
    ) = Field(default=None, description="How far the use of the platform is, for the algorithm registers.")
    governance_published_on: date | None = Field(
        default=None, description="When the algorithm records were first published: 2026-11-22."
    )
    governance_revise_by: date | None = Field(
        default=None, description="By when the algorithm records are looked at again: 2027-11-22."
    )
    governance_safety_component: bool = Field(
        default=False,
        description="Whether anything here controls traffic signals or switches supply, or keeps such a control safe; it "
        "then is a high-risk AI system of Annex III(2) of the AI Act and needs what the form lists.",
    )
    governance_income_groups: Path | None = Field(
        default=None,
        description="A CSV file with the columns district and income_group, by which the fairness audit groups districts too.",
    )
    governance_statements: dict[str, str] = Field(
        default={},
        description="Everything else that documents ask the organisation, by the key they name, as a JSON object: "
        '{"previous_process": "Counts by hand, twice a year."}.',
    )

    # Running
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
        return init_settings, env_settings, _SecretFiles(settings_cls), TomlConfigSettingsSource(settings_cls)

    @field_validator("city_timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            message = f"{zone!r} is not an IANA time zone such as Europe/Berlin"
            raise ValueError(message)
        return zone

    @field_validator("database_url", "mqtt_url")
    @classmethod
    def _known_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value():
            return None
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in {"postgresql", "postgres", "mqtt", "mqtts"} or not parts.hostname:
            message = "a URL such as postgresql://user:password@host:5432/arterial or mqtt://host:1883 is needed"
            raise ValueError(message)
        return url

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

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.city_timezone)

    @property
    def personal_retention(self) -> timedelta:
        """How long raw personal rows live."""
        return timedelta(hours=self.personal_retention_hours)

    def checkpoint_dir(self) -> Path:
        """Where signed checkpoints of the audit log are written."""
        return self.audit_checkpoint_dir or self.data_dir / "audit" / "checkpoints"

    def owner_dsn(self) -> str:
        """The database as its owner.

        Raises:
            ConfigurationError: no database is configured.

        """
        if self.database_url is None:
            message = (
                "no database is configured: set ARTERIAL_DATABASE_URL, "
                "or start everything on this machine with `arterial up`"
            )
            raise ConfigurationError(message)
        return self.database_url.get_secret_value()

    def role_dsn(self, role: Role) -> str:
        """The database as role `arterial_<role>`.

        Raises:
            ConfigurationError: no database, or no password of that role, is configured.

        """
        parts = urlsplit(without_user(self.owner_dsn()))
        secret: SecretStr | None = getattr(self, f"database_password_{role}")
        if secret is None:
            message = (
                f"the password of role arterial_{role} is not configured: set ARTERIAL_DATABASE_PASSWORD_{role.upper()}"
            )
            raise ConfigurationError(message)
        netloc = f"arterial_{role}:{quote(secret.get_secret_value(), safe='')}@{parts.netloc}"
        return urlunsplit(parts._replace(netloc=netloc))

    def broker_url(self) -> str:
        """The broker's URL.

        Raises:
            ConfigurationError: no broker is configured.

        """
        if self.mqtt_url is None:
            message = "no broker is configured: set ARTERIAL_MQTT_URL, or start everything with `arterial up`"
            raise ConfigurationError(message)
        return self.mqtt_url.get_secret_value()


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `ARTERIAL_X_FILE` for each secret X."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """The content of the named file, without the line end."""
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if path is None or "SecretStr" not in str(field.annotation):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except OSError as error:
            message = f"{PREFIX}{field_name.upper()}_FILE names {path}, which cannot be read: {error.strerror}"
            raise ConfigurationError(message) from error

    def __call__(self) -> dict[str, Any]:
        """All secrets given as files."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def load_settings(overrides: Mapping[str, Any] | None = None, *, join_running: bool = True) -> Settings:
    """Read the settings of this process.

    Args:
        overrides: settings given on the command line; they win.
        join_running: where no database is configured, use the one of the `arterial up` that runs on this data folder.

    Raises:
        ConfigurationError: a setting is unknown or has an impossible value; the message names each.

    """
    unknown = _unknown_variables()
    if unknown:
        message = f"unknown setting {', '.join(unknown)}: see deploy/.env.example for those that exist"
        raise ConfigurationError(message)
    try:
        settings = Settings(**dict(overrides or {}))
        if join_running and settings.database_url is None:
            settings = Settings(**{**_running_city(settings.data_dir), **dict(overrides or {})})
    except ValidationError as error:
        facts = "; ".join(_explain(problem["loc"], problem["msg"], problem["type"]) for problem in error.errors())
        raise ConfigurationError(facts) from None
    except SettingsError as error:
        message = (
            f"{error.__cause__ or error}: lists are written as JSON, for example ARTERIAL_MQTT_TOPICS='[\"city/v1/#\"]'"
        )
        raise ConfigurationError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"arterial.toml is not valid TOML: {error}"
        raise ConfigurationError(message) from error
    return settings


def without_user(url: str) -> str:
    """A URL without its user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


ENDPOINTS_FILE = "endpoints.json"


def _running_city(data_dir: Path) -> dict[str, Any]:
    """The settings by which other commands reach the services that `arterial up` started on this data folder."""
    try:
        endpoints = json.loads((data_dir.expanduser() / ENDPOINTS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{data_dir / ENDPOINTS_FILE} cannot be read ({error}): is `arterial up` running?"
        raise ConfigurationError(message) from error
    password = urlsplit(endpoints["database"]).password
    return {
        "database_url": endpoints["database"],
        **{f"database_password_{role}": unquote(password or "") for role in ("ingest", "jobs", "api")},
        "mqtt_url": endpoints["mqtt"],
        "mqtt_protocol": endpoints["mqtt_protocol"],
        **endpoints.get("settings", {}),
    }


def _unknown_variables() -> list[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith(PREFIX)}
    return sorted(name for name in given if name not in known and name.removesuffix("_FILE") not in known)


def _explain(location: tuple[int | str, ...], reason: str, kind: str) -> str:
    name = ".".join(str(part) for part in location)
    reason = reason.removeprefix("Value error, ")
    if kind == "extra_forbidden" and len(location) > 1:
        return f"{PREFIX}{name.rpartition('.')[0].upper()} has an unknown field {location[-1]!r}"
    if kind == "extra_forbidden":
        return f"arterial.toml has an unknown setting {name!r}"
    return f"{PREFIX}{name.upper()}: {reason}" if name else reason
