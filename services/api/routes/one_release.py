"""Code concerned with `/releases/{plan}/{day}`: what became of one plan on one local day.

The API never releases anything and never spends: it can only read. Who asks for a day expects its release; or to hear that
it is not there yet; or, when the budget did not hold it, that it will never be: that is the problem `privacy-budget-exhausted`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from services.api.deps import ConnectionDep, Now, SettingsDep
from services.api.documents import documented
from services.api.formats import Format, list_response
from services.api.problems import Problem
from services.api.routes.released import HEAD, head_row
from services.api.schemas import ReleasePage
from services.errors import NotFoundError
from services.local_day import day_of
from services.storage import releases

router = APIRouter(tags=["Released aggregates"])


@router.get(
    "/releases/{plan}/{day}",
    responses=documented(ReleasePage, Format.JSON),
    summary="What became of one plan on one day",
)
def find_release(
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    plan: Annotated[str, Path(max_length=63, description="A release plan.", examples=["presence"])],
    day: Annotated[date, Path(description="A local day.", examples=["2026-11-20"])],
) -> Response:
    """The release of that day; 404 while there is none, 429 when the privacy budget did not hold it.

    Raises:
        NotFoundError: it is not released, or not yet.
        Problem: it was refused, and will not be released.

    """
    found = releases.releases(connection, first_day=day, last_day=day, plan=plan)
    if found:
        rows = [head_row(one) for one in found]
        meta = {"first_day": day, "last_day": day}
        return list_response(Format.JSON, HEAD, rows, name=f"arterial-{plan}-{day}", meta=meta)
    refused = releases.refusal(connection, plan, day)
    if refused is not None:
        raise Problem("privacy-budget-exhausted", refused)
    when = "it is not over yet" if day >= day_of(now, settings.zone) else "it is released from an hour after its end"
    message = f"nothing of {plan[:63]!r} is released about {day}: {when}, where the plan is switched on"
    raise NotFoundError(message)
