"""Code concerned with sessions of charging points (OCPI 2.2) on `ocpi/<version>/sessions/<country>/<party>/<session>`. Personal.

OCPI is HTTP: a bridge publishes the Session object on the path of its PUT. When somebody charges, where and how much tells
on them: only the location, the energy and two times are read, `cdr_token` and everything else is left at the door, and the
subject `ocpi-<country>:<party>:<session>` becomes a day's pseudonym before anything is stored. The station is
`ocpi-<country>:<party>:<location>` in the register; what is published are sums of its district. A session belongs to the day
it began, however often it is reported.
"""

from __future__ import annotations

from typing import Final

from ingest.decoders.checks import Window, document, number, station_code, text_moment
from ingest.decoders.columns import joined
from services.domain import ChargingReading, Decoded, Message
from services.errors import InputError

_COUNTED: Final = frozenset({"ACTIVE", "COMPLETED", "PENDING"})


def decode(message: Message, window: Window) -> Decoded:
    """What the session has drawn so far. No sentence of a refusal quotes the token.

    Raises:
        InputError: it is not a session, or is marked as invalid or only reserved.

    """
    session = document(message.payload, "a session of OCPI")
    for name in ("evse_uid", "last_updated", "status"):
        if not isinstance(session.get(name), str):
            reason = f"{name} is missing or not text: this is not a session of OCPI 2.2"
            raise InputError(reason)
    if session["status"] not in _COUNTED:
        reason = "the status of the session is not ACTIVE, COMPLETED or PENDING: its energy is not counted"
        raise InputError(reason)
    _, _, _, country, party, number_of_session = message.topic.split("/")
    for name, level in (("country_code", country), ("party_id", party)):
        if session.get(name) != level:
            reason = f"{name} differs from the topic's"
            raise InputError(reason)
    drawn_kwh = number(
        "kwh", session.get("kwh"), low=0, high=10_000, why="energy drawn is not negative and at most 10,000 kWh"
    )
    now_us = text_moment(session["last_updated"], window)
    began = session.get("start_date_time")
    return Decoded(
        readings=(
            ChargingReading(
                subject=joined("ocpi", country, party, number_of_session),
                observed_us=now_us,
                began_us=min(text_moment(began, window), now_us) if isinstance(began, str) else now_us,
                station=joined("ocpi", country, party, station_code("location_id", session.get("location_id"))),
                energy_kwh=drawn_kwh,
            ),
        )
    )
