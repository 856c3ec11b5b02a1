"""Code concerned with the domains of personal data: about whom, what is kept of a message, and what is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalDomain:
    """A domain as documents describe it. `stored` are the columns of its table in schema personal, in words.

    `dialects` are those that carry nothing else, beside the native topic of the kind.
    """

    name: str
    kind: str
    title: str
    table: str
    data_subjects: str
    stored: dict[str, str]
    dropped: str
    dialects: tuple[str, ...] = ()


_DAY_AND_NAME: Final = {
    "day": "the local day of the city",
    "subject": "a pseudonym: HMAC-SHA256 of the device's name under a key of this purpose and day",
    "observed_at": "the time of the reading",
}

DOMAINS: Final = (
    PersonalDomain(
        name="mobility",
        kind="probe",
        title="Positions of vehicles",
        table="position",
        data_subjects="People who drive or ride in vehicles that report their position",
        stored=_DAY_AND_NAME
        | {"cell": "the H3 cell of resolution 9 (about 0.1 km²)", "speed_kmh": "the speed, where it was reported"},
        dropped="The device's name and the coordinates are never written; no other field of the message is read.",
        dialects=("hsl_hfp",),
    ),
    PersonalDomain(
        name="household",
        kind="household",
        title="Energy of households",
        table="household",
        data_subjects="People who live in households whose meter reports its consumption",
        stored=_DAY_AND_NAME | {"district_id": "the district", "energy_wh": "the energy of the interval"},
        dropped="The meter's name is never written; no other field of the message is read.",
        dialects=("dsmr",),
    ),
    PersonalDomain(
        name="bike",
        kind="bike",
        title="Trips between bicycle stations",
        table="bike_trip",
        data_subjects="People who rent bicycles; who rode is not reported, so that a subject is a trip",
        stored={
            "day": "the local day of the city",
            "subject": "a pseudonym of the trip: HMAC-SHA256 under a key of this purpose and day",
            "origin": "the station it began at",
            "destination": "the station it ended at",
        },
        dropped="The trip's number is never written; no other field of the message is read.",
    ),
    PersonalDomain(
        name="charging",
        kind="charging",
        title="Charging sessions of cars",
        table="charging",
        data_subjects="People who charge cars; who they are is not reported, so that a subject is a session",
        stored=_DAY_AND_NAME
        | {
            "subject": "a pseudonym of the session: HMAC-SHA256 under a key of this purpose and day",
            "district_id": "the district of the station",
            "energy_wh": "the energy drawn so far",
        },
        dropped="The session's number and the token are never written; no other field of the message is read.",
        dialects=("ocpi",),
    ),
)
"""All domains."""
