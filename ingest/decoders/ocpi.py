"""Code concerned with sessions of charging points (OCPI 2.2) on `ocpi/<version>/sessions/<country>/<party>/<session>`.

OCPI is HTTP: a bridge publishes the Session object on the path of its PUT. `cdr_token` names a person and is dropped
here with everything else but the place, the energy and the time; the session's number is not kept either. Dead letters
of these topics hold whole messages and are therefore kept with personal data. The sensor is the charging point,
`ocpi-<country>:<party>:<evse>`, its register the energy the running session has drawn: it begins with zero at the session's
start, so that power can be worked out from one register to the next.
"""

from __future__ import annotations

from typing import Final

from ingest.decoders.checks import Window, document, number, text_moment
from ingest.decoders.columns import joined
from services.domain import Decoded, EnergyReading, Message
from services.errors import InputError

_COUNTED: Final = frozenset({"ACTIVE", "COMPLETED", "PENDING"})


def decode(message: Message, window: Window) -> Decoded:
    """The register of the charging point, at the session's start and now. No sentence of a refusal quotes the token.

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
    _, _, _, country, party, _ = message.topic.split("/")
    for name, level in (("country_code", country), ("party_id", party)):
        if session.get(name) != level:
            reason = f"{name} differs from the topic's"
            raise InputError(reason)
    sensor = joined("ocpi", country, party, session["evse_uid"])
    drawn_kwh = number("kwh", session.get("kwh"), low=0, why="energy drawn is not negative")
    now_us = text_moment(session["last_updated"], window)
    found = [EnergyReading(sensor=sensor, observed_us=now_us, energy_kwh=drawn_kwh)]
    if isinstance(session.get("start_date_time"), str):
        start_us = text_moment(session["start_date_time"], window)
        if start_us < now_us:
            found.insert(0, EnergyReading(sensor=sensor, observed_us=start_us, energy_kwh=0.0))
    return Decoded(readings=tuple(found))
