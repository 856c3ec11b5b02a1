"""Code concerned with the shapes of JSON answers as OpenAPI shows them; a test holds every answer against them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from services.api.columns import COLUMNS, Type

_PYTHON: dict[Type, Any] = {"text": str, "time": datetime, "date": str, "number": float, "whole": int, "truth": bool}


class _Answer(BaseModel):
    """Answers have exactly the fields they are documented with."""

    model_config = ConfigDict(extra="forbid")


def _row(name: str, required: str, optional: str) -> type[BaseModel]:
    """A model of rows whose fields are columns; a required one is never null, an optional one may be absent or null."""
    fields: dict[str, Any] = {}
    for column in required.split():
        fields[column] = (_PYTHON[COLUMNS[column].type], Field(description=COLUMNS[column].meaning))
    for column in optional.split():
        fields[column] = (_PYTHON[COLUMNS[column].type] | None, Field(None, description=COLUMNS[column].meaning))
    return create_model(name, __base__=_Answer, **fields)


class ProblemDocument(_Answer):
    """What went wrong, after RFC 9457."""

    type: str = Field(description="Names the type of problem; the address explains it.", examples=["/problems/input"])
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, and what to do.")
    instance: str
    errors: list[dict[str, str]] | None = Field(None, description="Each parameter that was wrong, and why.")
    request_id: str | None = Field(None, description="Stands in the server's log too.")


Observation = _row(
    "Observation",
    "sensor kind observed_at",
    "received_at flow_vph speed_kmh occupancy power_kw peak_kw energy_kwh quantity value lowest highest quality rows good",
)
SensorRow = _row(
    "Sensor",
    "sensor kind described registered_at silence_limit_seconds silent",
    "name lon lat unit district road free_flow_kmh capacity_vph limit_kw step_seconds online status_at "
    "latest_observed_at age_seconds",
)


_DUE = "heard_at expected_at missing_since delay_s"
SensorHealthRow = _row(
    "SensorHealth", "sensor kind diagnosis since judged_at detail skipped", f"name lon lat district {_DUE}"
)
SensorDiagnosis = _row("SensorDiagnosis", "diagnosis since judged_at detail skipped", _DUE)


class SensorDetail(SensorRow):  # type: ignore[misc, valid-type]  # made by create_model
    """One sensor with what is wrong with it and its newest reading."""

    health: SensorDiagnosis | None = None  # type: ignore[valid-type]  # made by create_model
    latest: Observation | None = None  # type: ignore[valid-type]  # made by create_model


class Count(_Answer):
    """What is said about a page."""

    count: int = Field(description="Rows on this page.")
    units: dict[str, str] = Field(description="Unit by column, as in UCUM; of forecasts by quantity.")


class SensorPage(_Answer):
    """One page of sensors."""

    data: list[SensorRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: Count


class SensorHealthPage(_Answer):
    """One page of sensors with their diagnoses."""

    data: list[SensorHealthRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: Count


class ObservationMeta(Count):
    """What was asked for, and the units."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str
    resolution: str
    from_: datetime = Field(alias="from")
    to: datetime
    order: str


class ObservationPage(_Answer):
    """One page of observations."""

    data: list[Observation]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ObservationMeta


ForecastRow = _row(
    "Forecast", "sensor kind quantity issued_at model state target_at q05 q10 q25 q50 q75 q90 q95", "reason"
)
_BY_CLASS = "congested_{0} slow_{0} dense_{0} free_{0}"
_BY_LEVEL = "{0}_q05 {0}_q10 {0}_q25 {0}_q50 {0}_q75 {0}_q90 {0}_q95"
CongestionRow = _row(
    "Congestion",
    "sensor issued_at model state target_at congestion free_flow_kmh free_flow_estimated "
    f"{_BY_CLASS.format('chance')} {_BY_LEVEL.format('speed_ratio')} {_BY_LEVEL.format('travel_time_index')}",
    "district reason saturation",
)
AreaCongestion = _row(
    "AreaCongestion", f"target_at sensors speed_ratio travel_time_index {_BY_CLASS.format('share')}", "district"
)
Score = _row(
    "Score",
    "kind quantity lead_minutes sensors n mae coverage_80 coverage_90",
    "naive_mae wape skill mase pinball coverage_50 scope district state observed_quality utc_day",
)
Presence = _row(
    "Presence",
    "cell hour suppressed release_key plan plan_version epsilon delta threshold rounding ci95",
    "vehicles reason",
)
ReleaseRow = _row(
    "Release",
    "day plan plan_version plan_hash release_key released_at epsilon delta mechanism noise_scale threshold rounding ci95 "
    "factor cells withheld",
    "",
)
FigureRow = _row(
    "Figure",
    "day slot place measure suppressed release_key plan plan_version epsilon delta threshold rounding",
    "part value ci95 reason",
)
ReleasedForecastRow = _row(
    "ReleasedForecast",
    "plan place measure issued_at last_day ci95 release_key plan_version epsilon threshold",
    "model state reason target_at q05 q10 q25 q50 q75 q90 q95",
)
ReleasedScoreRow = _row(
    "ReleasedScore",
    "plan days_ahead days n mae wape pinball coverage_50 coverage_80 coverage_90",
    "naive_mae skill",
)
LedgerRow = _row("Charge", "day domain release_key plan_hash epsilon charged_at cap spent", "")
CompositionRow = _row("Composition", "domain days last_day epsilon_sum epsilon_distribution delta agree checked_at", "")
DistrictEnergyRow = _row(
    "DistrictEnergy",
    "district name",
    "observed_at power_kw feeders day energy_kwh households ci95_kwh suppressed reason "
    "release_key plan plan_version epsilon delta threshold rounding",
)
EnergyForecastRow = _row(
    "EnergyForecast",
    "scope issued_at state sensors target_at summed_kw q05 q10 q25 q50 q75 q90 q95",
    "district name reason",
)
PeakRow = _row(
    "Peak",
    "scope day issued_at state q05 q10 q25 q50 q75 q90 q95",
    "sensor district name limit_kw limit_is chance_above likely_at so_far_kw",
)
DeadLetterRow = _row("DeadLetter", "id received_at topic payload_bytes reason", "")


class ForecastMeta(Count):
    """As known at which time, and the quantile levels."""

    issued_by: datetime
    quantiles: list[float]


class ForecastPage(_Answer):
    """One page of forecasts."""

    data: list[ForecastRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ForecastMeta


class ReleasedForecastPage(_Answer):
    """One page of what will be released."""

    data: list[ReleasedForecastRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ForecastMeta


class ReleasedScoreMeta(Count):
    """The first local day that counts."""

    since: str


class ReleasedScorePage(_Answer):
    """How forecasts of releases did."""

    data: list[ReleasedScoreRow]  # type: ignore[valid-type]  # made by create_model
    next: None
    meta: ReleasedScoreMeta


class CongestionMeta(ForecastMeta):
    """As known at which time, the quantile levels, and the classes, worst first."""

    classes: list[str]


class CongestionPage(_Answer):
    """One page of chances of congestion."""

    data: list[CongestionRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: CongestionMeta


class AreaCongestionMeta(Count):
    """As known at which time, and what was asked for."""

    model_config = ConfigDict(populate_by_name=True)

    issued_by: datetime
    from_: datetime = Field(alias="from")
    to: datetime
    by: str


class AreaCongestionPage(_Answer):
    """Congestion of whole areas."""

    data: list[AreaCongestion]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="Always null: the range bounds the answer.")
    meta: AreaCongestionMeta


class EnergyForecastPage(_Answer):
    """One page of what the city and its districts will draw."""

    data: list[EnergyForecastRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ForecastMeta


class PeakPage(_Answer):
    """One page of the highest loads of days."""

    data: list[PeakRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ForecastMeta


class ScoreMeta(Count):
    """What was scored, on which days, and what the rows are divided by."""

    of: str
    since: str | None
    until: str | None
    by: list[str]


class ScorePage(_Answer):
    """One page of how forecasts did."""

    data: list[Score]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ScoreMeta


class PresenceMeta(Count):
    """The hours asked for, and those that anything was published for."""

    from_: datetime = Field(alias="from")
    to: datetime
    published_from: datetime | None
    published_to: datetime | None


class PresencePage(_Answer):
    """One page of published presence."""

    data: list[Presence]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: PresenceMeta


class LedgerMeta(Count):
    """The local days asked for."""

    first_day: str
    last_day: str


class LedgerPage(_Answer):
    """The privacy ledger."""

    data: list[LedgerRow]  # type: ignore[valid-type]  # made by create_model
    next: None
    meta: LedgerMeta


class CompositionPage(_Answer):
    """What days cost together."""

    data: list[CompositionRow]  # type: ignore[valid-type]  # made by create_model
    next: None
    meta: Count


class ReleasePage(_Answer):
    """Releases, newest day first."""

    data: list[ReleaseRow]  # type: ignore[valid-type]  # made by create_model
    next: None
    meta: LedgerMeta


class FigurePage(_Answer):
    """One page of released numbers."""

    data: list[FigureRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: LedgerMeta


class DistrictEnergyMeta(Count):
    """What was asked for."""

    measure: str
    from_: datetime = Field(alias="from")
    to: datetime
    resolution: str | None = None


class DistrictEnergyPage(_Answer):
    """One page of energy by district: rows of load, or rows of households."""

    data: list[DistrictEnergyRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: DistrictEnergyMeta


class DeadLetterPage(_Answer):
    """One page of dead letters."""

    data: list[DeadLetterRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: Count


class FeatureCollection(BaseModel):
    """An RFC 7946 FeatureCollection."""

    type: str
    features: list[dict[str, Any]]


class Alive(_Answer):
    """The process answers."""

    status: str


class CheckResult(_Answer):
    """One thing that was looked at."""

    name: str
    ok: bool
    required: bool = Field(description="Whether readiness depends on it.")
    detail: str


class Readiness(_Answer):
    """Whether requests can be answered from current data."""

    status: str
    checks: list[CheckResult]


class IngestCounters(_Answer):
    """The counters of one ingest session, in messages."""

    client_id: str
    started_at: datetime
    seen_at: datetime
    heartbeat_at: datetime | None = Field(
        description="When a heartbeat last went through broker and database; null before the first."
    )
    received: int
    stored: int
    duplicate: int
    dead_lettered: int
    spooled: int
    in_flight: int
    accounted: bool = Field(description="Whether every received message has exactly one fate.")


class IngestHealth(_Answer):
    """The fate of every message."""

    equation: str
    accounted: bool
    sessions: list[IngestCounters]


class Transparency(_Answer):
    """What everybody may know about the platform's use of personal data."""

    city: str
    made_at: datetime = Field(description="When this was read from configuration and database.")
    controller: dict[str, str] = Field(description="Who answers for the processing; what nobody has filled says so.")
    epsilon_day: float = Field(description="Privacy budget of one subject's local day, per domain.")
    personal_hours: int = Field(description="Personal rows are destroyed after this long [h].")
    collected: list[dict[str, Any]] = Field(description="Each kind of reading: what, why, for how long.")
    kept: list[dict[str, str]] = Field(description="How long each class of data is kept.")
    dialects: list[dict[str, Any]] = Field(description="The payload formats that are read.")
    published: list[dict[str, Any]] = Field(description="The release plans that are on.")
    budgets: list[dict[str, Any]] = Field(description="Spent of the cap, by local day and domain, for 30 days.")
    composition: list[dict[str, Any]] = Field(
        description="What several days cost together, by domain: the sum, and the tighter bound of the second accountant at "
        "delta 1e-6 as of the last check of the ledger (null before it)."
    )
    composition_checked: dict[str, Any] | None = Field(
        description="When that check was made, whether both accountants agreed, and the last of its days."
    )
    withheld: list[dict[str, Any]] = Field(
        description="Of the newest release of each plan: how much is withheld, and why."
    )
    red_team: dict[str, Any] | None = Field(
        description="The last attacks on our own releases that somebody asked for, or the timetable's where there are none or "
        "a later one did not pass; null before the first."
    )
    red_team_weekly: dict[str, Any] | None = Field(
        description="The last attacks that the timetable asked for each week, a short version; null before the first."
    )
    fairness: dict[str, Any] | None = Field(description="The last fairness audit; null before the first.")
    destructions: list[dict[str, Any]] = Field(
        description="The newest proofs that a day's rows and key were destroyed."
    )
    audit: dict[str, Any] = Field(
        description="Rows and head of the audit log, its last checkpoint, the last check of the ledger."
    )
    algorithms: list[dict[str, Any]] = Field(description="The uses of algorithms.")
    documents: list[dict[str, str]] = Field(description="The public documents and where they are.")


class GovernanceDocument(_Answer):
    """One document made from configuration and database."""

    kind: str
    title: str
    standard: str = Field(description="What it is made after.")
    made_at: datetime
    complete: bool = Field(description="Whether every field is as the standard has it.")
    judged_by: str = Field(description="What that rests on, and whether anybody publishes a schema of it.")
    problems: list[dict[str, str]] = Field(description="What is missing or wrong, field by field.")
    to_sign: list[str] = Field(description="Fields that a person fills on the document itself.")
    content: dict[str, Any]
