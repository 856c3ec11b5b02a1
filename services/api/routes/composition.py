"""Code concerned with `/privacy/composition`: what several days of releases cost one subject together, in two accounts."""

from __future__ import annotations

import json
from datetime import date
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from services.api.deps import Accept, ConnectionDep, FlatFormatParam
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, list_response, negotiate
from services.api.schemas import CompositionPage
from services.storage import audit

router = APIRouter(tags=["Released aggregates"])

_COLUMNS: Final = (
    *("domain", "days", "last_day", "epsilon_sum", "epsilon_distribution", "delta", "agree", "checked_at"),
)
_DELTA: Final = 1e-6


@router.get(
    "/privacy/composition",
    responses=documented(CompositionPage, *FLAT_FORMATS),
    summary="What several days cost a subject together",
)
def read_composition(connection: ConnectionDep, format_: FlatFormatParam = None, accept: Accept = None) -> Response:
    """Over 1, 7, 30, 90 and 365 days, as the last nightly check of the ledger found it; empty before the first."""
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    rows = []
    for entry in audit.newest(connection, most=1, action=audit.Action.LEDGER_CHECKED):
        facts = json.loads(entry.body)
        last_day = date.fromisoformat(facts["last_day"])
        for one in facts["windows"]:
            sums = (one["epsilon_sum"], one["epsilon_distribution"], _DELTA, one["agree"], entry.at)
            rows.append((one["domain"], one["days"], last_day, *sums))
    return list_response(chosen, _COLUMNS, rows, name="arterial-privacy-composition", meta={})
