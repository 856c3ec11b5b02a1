"""Code concerned with which documents there are: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.governance.documents.document import Document
from services.governance.documents.facts import Facts
from services.governance.documents.record import record_of_processing

DOCUMENTS: Final[Mapping[str, Callable[[Facts], Document]]] = {
    "record": record_of_processing,
}
