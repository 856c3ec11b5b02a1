"""Code concerned with which documents there are: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.governance.documents.ai_act import ai_act_form
from services.governance.documents.algoritmeregister import dutch_register
from services.governance.documents.atrs import british_records
from services.governance.documents.cards import model_cards
from services.governance.documents.document import Document
from services.governance.documents.dpia import impact_assessment
from services.governance.documents.facts import Facts
from services.governance.documents.record import record_of_processing

DOCUMENTS: Final[Mapping[str, Callable[[Facts], Document]]] = {
    "record": record_of_processing,
    "dpia": impact_assessment,
    "register-nl": dutch_register,
    "register-uk": british_records,
    "cards": model_cards,
    "ai-act": ai_act_form,
}

PUBLIC: Final = ("record", "register-nl", "register-uk", "cards", "ai-act")
"""Those that everybody may read. The impact assessment is for the organisation, which may publish it."""
