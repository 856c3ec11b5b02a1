"""Code concerned with the vocabulary: what a sensor, a reading and a quality flag are. Imports nothing of ours.

Units are in the names: `_vph` vehicles per hour, `_kmh` kilometres per hour, `_kw` kilowatts, `_kwh` kilowatt-hours,
`_us` microseconds since 1970-01-01 UTC. Occupancy is a share of time, 0 to 1.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

QUANTILE_LEVELS: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The quantile levels of every forecast, in storing order."""


class Kind(StrEnum):
    """What a device observes. `PROBE` and all after it are personal and never leave schema `personal` unreleased."""

    TRAFFIC = "traffic"
    ENERGY = "energy"
    ENVIRONMENT = "environment"
    PROBE = "probe"
    HOUSEHOLD = "household"
    BIKE = "bike"
    CHARGING = "charging"


PERSONAL_KINDS: Final = frozenset({Kind.PROBE, Kind.HOUSEHOLD, Kind.BIKE, Kind.CHARGING})


class Flag(IntEnum):
    """Quality of one stored observation, on the scale of the IOC (Manuals and Guides 54, vol. 3). Never a deletion."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    BAD = 4
    MISSING = 9


class Diagnosis(StrEnum):
    """What is wrong with a sensor, after the detector diagnoses of PeMS; the first that holds, OK when none does.

    NO_DATA: silent. INSUFFICIENT_DATA: too few readings. CARD_OFF: occupancy mostly zero. HIGH_VALUE: occupancy too often
    high. INTERMITTENT: flow and occupancy contradict each other. CONSTANT: a value that does not change. CLOCK_SKEW: stamps
    that cannot be right.
    """

    NO_DATA = "no_data"
    INSUFFICIENT_DATA = "insufficient_data"
    CARD_OFF = "card_off"
    HIGH_VALUE = "high_value"
    INTERMITTENT = "intermittent"
    CONSTANT = "constant"
    CLOCK_SKEW = "clock_skew"
    OK = "ok"


class ForecastState(StrEnum):
    """How much a forecast can be relied on.

    NORMAL: the chosen model on current data. DEGRADED: a simpler model or patched input, still from current data.
    STALE: no current data; the newest values are older than the sensor's silence limit.
    """

    NORMAL = "normal"
    DEGRADED = "degraded"
    STALE = "stale"


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One MQTT message as it was received, before anything is known about its content.

    `again` says that the broker has delivered it before and got no acknowledgement. `delay_us` is for history only: each
    reading then counts as received this long after its own stamp, as it would have been live, so that a forecast as of an
    earlier time finds what was known by then.
    """

    topic: str
    payload: bytes
    received_us: int
    retained: bool = False
    again: bool = False
    delay_us: int | None = None


class TrafficReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a traffic detector measured over the interval that starts at `observed_us`."""

    sensor: str
    observed_us: int
    seq: int | None = None
    flow_vph: float | None = None
    speed_kmh: float | None = None
    occupancy: float | None = None


class EnergyReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Mean power over the interval that starts at `observed_us`, and the register where the meter has one.

    Beside a power it is the register at the interval's end; alone it is what the meter showed at `observed_us`.
    """

    sensor: str
    observed_us: int
    seq: int | None = None
    power_kw: float | None = None
    energy_kwh: float | None = None


class QuantityReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One value of one quantity that has no wide table, such as `temperature_c` or `pm2_5_ug_m3`."""

    sensor: str
    observed_us: int
    quantity: str
    value: float
    kind: Kind = Kind.ENVIRONMENT
    seq: int | None = None


class PositionReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a vehicle was [degrees, WGS 84]. Personal: `subject` is pseudonymised before anything is stored."""

    subject: str
    observed_us: int
    lon: float
    lat: float
    speed_kmh: float | None = None


class HouseholdReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Energy a household used over the interval that starts at `observed_us`. Personal, like a position."""

    subject: str
    observed_us: int
    district: str
    energy_kwh: float


class BikeTripReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A trip with a rented bicycle from one station to another, begun at `observed_us`. Personal; the subject is the trip."""

    subject: str
    observed_us: int
    origin: str
    destination: str


class ChargingReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a charging session that began at `began_us` has drawn until `observed_us`. Personal; the subject is the session."""

    subject: str
    observed_us: int
    began_us: int
    station: str
    energy_kwh: float


class ClaimReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The SHA-256 of a secret that a personal device keeps, to prove itself later. Personal, like a position."""

    subject: str
    observed_us: int
    kind: Kind
    token_hash: bytes


Reading = (
    TrafficReading
    | EnergyReading
    | QuantityReading
    | PositionReading
    | HouseholdReading
    | BikeTripReading
    | ChargingReading
    | ClaimReading
)


class SensorMeta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a device says about itself in its retained `meta` message; every field but the code may be unknown."""

    sensor: str
    kind: Kind
    name: str | None = None
    lon: float | None = None
    lat: float | None = None
    unit: str | None = None
    district: str | None = None
    road: str | None = None
    free_flow_kmh: float | None = None
    capacity_vph: float | None = None
    limit_kw: float | None = None
    register_kwh: float | None = None
    step_seconds: int | None = None


class SensorStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a device's retained `status` or last will says: whether it is connected."""

    sensor: str
    kind: Kind
    online: bool
    observed_us: int | None = None


class Rejected(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a message, or one item of a batch, could not become a reading. `reason` is a sentence for a person."""

    reason: str
    item: int | None = None


class Decoded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that one message said. A message with any `rejected` item is also kept whole as a dead letter.

    `personal` says that it carries personal data although its topic does not tell.
    """

    readings: tuple[Reading, ...] = ()
    meta: tuple[SensorMeta, ...] = ()
    status: tuple[SensorStatus, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    personal: bool = False


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime; exact, without a float in between.

    Raises:
        ValueError: the datetime has no time zone.

    """
    if moment.tzinfo is None:
        message = f"{moment.isoformat()} has no time zone"
        raise ValueError(message)
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
