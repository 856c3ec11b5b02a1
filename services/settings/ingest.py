"""Code concerned with the settings of ingest: batches, patience, rules for topics, what is refused, and where it answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services.settings.addresses import Port


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


class IngestSettings(BaseModel):
    """How messages become rows."""

    model_config = ConfigDict(frozen=True)

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
