"""The page of dialects names every dialect of the catalogue with every topic."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.decoders.catalogue import DIALECTS
from services.settings import Settings

ROOT = Path(__file__).parents[2]
ROWS = {
    line.split("|")[1].strip().strip("`"): line
    for line in (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
}


def test_the_table_has_the_dialects_of_the_catalogue_and_no_other() -> None:
    assert list(ROWS) == list(DIALECTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_row_names_every_topic_the_case_folder_and_says_what_is_personal(name: str) -> None:
    dialect, row = DIALECTS[name], ROWS[name]
    for topic_filter in dialect.topics:
        assert f"`{topic_filter}`" in row
    assert f"../tests/cases/decode/{name}/" in row
    assert ("**personal**" in row) == dialect.personal
    assert len([cell for cell in row.split("|") if cell.strip()]) == 5


@pytest.mark.parametrize("name", DIALECTS)
def test_a_row_says_whether_the_default_subscription_has_the_dialect(name: str) -> None:
    default = Settings.model_fields["mqtt_topics"].default
    starts = [topic_filter.removesuffix("#") for topic_filter in default]
    subscribed = all(any(topic.startswith(start) for start in starts) for topic in DIALECTS[name].topics)
    assert ("subscribed by default" in ROWS[name]) == subscribed
