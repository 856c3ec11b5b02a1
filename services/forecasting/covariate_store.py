"""Code concerned with covariates between file, database and models: taking them in, and handing them to panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from models.calendar import Calendar
from models.panel import Panel
from services.domain import from_us, to_us
from services.errors import InputError
from services.forecasting.covariate_files import MOST_VARIABLES, Key, Said, covariates_of, read_covariates, with_schools
from services.storage import covariates
from services.storage.covariates import StoredCourse
from services.storage.database import Connection
from services.storage.panels import PanelSensor

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
_BEFORE: Final = timedelta(days=8)  # that stand-ins and means of a day look back
_AHEAD: Final = timedelta(days=3)  # beyond the longest forecast


def import_covariates(connection: Connection, file: Path) -> dict[Key, tuple[Said, int]]:
    """Store the values of a file, all or none; for each variable and district what was given and how many were new.

    Committed by the caller. What is stored already with the same times stays, so a file may be imported again.

    Raises:
        InputError: the file is wrong, names an unknown district, is from the future, or contradicts what is stored.

    """
    said = read_covariates(file)
    ids = covariates.districts(connection)
    latest = to_us(datetime.now(UTC) + _CLOCKS_DIFFER)
    done = {}
    for (variable, district), one in said.items():
        if district is not None and district not in ids:
            message = f"{file}: there is no district {district!r}; there are {', '.join(sorted(ids)) or 'none'}"
            raise InputError(message)
        if one.issued_us.max() > latest:
            message = (
                f"{file}: {variable} has values issued in the future, at {from_us(int(one.issued_us.max())):%Y-%m-%dT%H:%MZ}; "
                "say in issued_at when a forecast was issued: without it a value is an observation"
            )
            raise InputError(message)
        new, differing = covariates.add(
            connection,
            StoredCourse(
                variable=variable,
                district_id=None if district is None else ids[district],
                valid_us=one.valid_us,
                issued_us=one.issued_us,
                values=one.values,
            ),
        )
        if differing:
            message = (
                f"{file}: {differing} values of {variable} are stored with the same valid_at and issued_at and another value; "
                "give what is right a later issued_at"
            )
            raise InputError(message)
        done[variable, district] = (one, new)
    names = covariates.variables(connection)
    if len(names) > MOST_VARIABLES:
        message = f"{file}: with it there would be {len(names)} variables, at most {MOST_VARIABLES} are forecast with"
        raise InputError(message)
    return done


def told(
    connection: Connection, calendar: Calendar, *, since_us: int, until_us: int, received_by: datetime | None = None
) -> dict[Key, Said]:
    """What is known for forecasts from a history, school holidays of the calendar included; districts by their number."""
    stored = covariates.known(
        connection, since=from_us(since_us) - _BEFORE, until=from_us(until_us) + _AHEAD, received_by=received_by
    )
    said = {
        (one.variable, None if one.district_id is None else str(one.district_id)): Said(
            valid_us=one.valid_us, issued_us=one.issued_us, values=one.values
        )
        for one in stored
    }
    return with_schools(said, calendar)


def attached(panel: Panel, said: Mapping[Key, Said], sensors: Sequence[PanelSensor]) -> Panel:
    """The panel with what is known for each of its sensors; the panel itself where nothing is."""
    if not said:
        return panel
    places = {str(one.id): None if one.district_id is None else str(one.district_id) for one in sensors}
    known = covariates_of(said, [places.get(name) for name in panel.names])
    return replace(panel, covariates=None if known is None else known.cut(panel.end_us), part_of_checked=True)
