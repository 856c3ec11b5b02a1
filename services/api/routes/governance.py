"""Code concerned with `/privacy/transparency` and `/governance`: what everybody may know, and the public documents."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import HTMLResponse, Response

from services.api.deps import ConnectionDep, Now, SettingsDep
from services.api.documents import problems
from services.api.formats import json_response
from services.api.schemas import GovernanceDocument, Transparency
from services.governance.documents.catalogue import DOCUMENTS
from services.governance.documents.facts import gather
from services.governance.documents.render import markdown, page
from services.governance.transparency import transparency

router = APIRouter(tags=["Privacy and governance"])

_PRINTED: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}


def _answers(model: type[Any], *others: str) -> dict[int | str, dict[str, Any]]:
    content = dict.fromkeys(others, _TEXT)
    answer: dict[int | str, dict[str, Any]] = {200: {"model": model, "description": "The answer.", "content": content}}
    return answer | problems()


@router.get("/privacy/transparency", responses=_answers(Transparency), summary="What is collected, and what leaves")
def read_transparency(connection: ConnectionDep, settings: SettingsDep, now: Now) -> Response:
    """What is collected per kind, why and for how long; release plans, budget, what was withheld, and the proofs."""
    return json_response(transparency(gather(connection, settings, now, scores=False)))


@router.get(
    "/governance/{document}",
    responses=_answers(GovernanceDocument, "text/markdown", "text/html"),
    summary="Records of processing and of algorithms",
)
def read_governance_document(
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    document: Annotated[
        Literal["record", "register-nl", "register-uk", "cards", "ai-act"],
        Path(
            description="record: GDPR Art. 30. register-nl: Algoritmeregister 0.3.1. register-uk: ATRS 3.0. cards: models. "
            "ai-act: classification.",
            examples=["record"],
        ),
    ],
    format_: Annotated[
        Literal["json", "markdown", "html"],
        Query(alias="format", description="json, markdown, or html: a page to print.", examples=["json"]),
    ] = "json",
) -> Response:
    """One document, made now from the running configuration and the database; fields that nobody has filled say so."""
    made = DOCUMENTS[document](gather(connection, settings, now, scores=document != "record"))
    if format_ == "html":
        return HTMLResponse(page(made), headers={"Content-Security-Policy": _PRINTED})
    if format_ == "markdown":
        name = {"Content-Disposition": f'attachment; filename="arterial-{document}.md"'}
        return Response(markdown(made), media_type="text/markdown", headers=name)
    return json_response(made.as_json())
