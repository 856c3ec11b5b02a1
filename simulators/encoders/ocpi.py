"""Code concerned with writing sessions of charging points as OCPI 2.2.1 does, on `ocpi/2.2.1/sessions/<country>/<party>/<session>`."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from services.domain import from_us

TOPICS: Final = "ocpi/+/sessions/+/+/+"
"""The filter that brings all sessions."""

Status = Literal["ACTIVE", "COMPLETED"]
_encode: Final = msgspec.json.Encoder().encode


def topic(country: str, party: str, session: str) -> str:
    """The topic on which a charging point tells of a session."""
    return f"ocpi/2.2.1/sessions/{country}/{party}/{session}"


def session(
    *,
    country: str,
    party: str,
    session: str,
    location: str,
    evse: str,
    token: str,
    begins_us: int,
    now_us: int,
    energy_kwh: float,
    status: Status,
) -> bytes:
    """A Session object as its PUT has it; whoever charges is in `cdr_token`, as with real charging points.

    Args:
        country: two letters.
        party: three letters.
        session: its identifier.
        location: the location's identifier.
        evse: the point's identifier.
        token: the card that was shown.
        begins_us: when it began [µs since 1970 UTC].
        now_us: when it was last updated, and when it ended if it has [µs since 1970 UTC].
        energy_kwh: drawn so far.
        status: whether it goes on.

    """
    ended = {"end_date_time": _moment(now_us)} if status == "COMPLETED" else {}
    return _encode(
        {
            "country_code": country,
            "party_id": party,
            "id": session,
            "start_date_time": _moment(begins_us),
            **ended,
            "kwh": energy_kwh,
            "cdr_token": {"uid": token, "type": "RFID", "contract_id": f"{country}-SYN-C{token}"},
            "auth_method": "WHITELIST",
            "location_id": location,
            "evse_uid": evse,
            "connector_id": "1",
            "currency": "EUR",
            "status": status,
            "last_updated": _moment(now_us),
        }
    )


def _moment(moment_us: int) -> str:
    return from_us(moment_us).strftime("%Y-%m-%dT%H:%M:%SZ")
