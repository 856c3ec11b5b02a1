"""The page of dialects names every dialect of the catalogue with every topic."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ingest.decoders.catalogue import DIALECTS
from ingest.decoders.relabelling import UNITS
from ingest.routing import Routing
from services.settings import Settings

ROOT = Path(__file__).parents[2]
ROWS = {
    line.split("|")[1].strip().strip("`"): line
    for line in (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
}


def test_the_table_has_the_dialects_of_the_catalogue_and_no_other() -> None:
    assert list(ROWS) == list(DIALECTS), "docs/dialects.md has one row a dialect, in the order of the catalogue"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_row_names_every_topic_the_case_folder_and_says_what_is_personal(name: str) -> None:
    dialect, row = DIALECTS[name], ROWS.get(name, "")
    assert row, f"write a row that begins with | `{name}` | into the table of docs/dialects.md"
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
    assert ("subscribed by default" in ROWS.get(name, "")) == subscribed


def test_the_rules_of_the_example_work() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
    found = dict(
        re.findall(
            r"^ARTERIAL_(MQTT_TOPICS|INGEST_ROUTES)='(.*?)'$",
            page.partition("## Rules of")[2],
            re.MULTILINE | re.DOTALL,
        )
    )
    settings = Settings(mqtt_topics=json.loads(found["MQTT_TOPICS"]), ingest_routes=json.loads(found["INGEST_ROUTES"]))
    routing = Routing.of(settings)
    assert routing.find("plant/7/power", b"").topic == "city/v1/energy/plant-7/senml"
    assert routing.find("depot/9/events/rpc", b"").dialect == "shelly"
    assert routing.find("plant/meters/a", b"").topic == "sentilo/data/plant/a"


def test_every_unit_a_rule_may_name_is_listed() -> None:
    page = (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8")
    listed = page.partition("Units: ")[2].partition(". What becomes")[0].replace("\n", " ").split(",")
    spelt_otherwise = {"degC", "Cel", "%RH", "ug/m3"}
    assert {unit.strip() for unit in listed} == UNITS.keys() - spelt_otherwise
