"""A document is held against a schema file as it was published, with the oddities of real ones; nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.errors import InputError
from services.governance.documents.schema_file import hold_against

DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
OPEN = "to be filled: ARTERIAL_GOVERNANCE_CONTROLLER"

# Written like the files of standaard.algoritmeregister.org: each field says itself whether it is required.
MARKED = {
    "$id": "https://city.example/registration.schema.json",
    "$schema": DRAFT_2020,
    "type": "object",
    "properties": {
        "name": {"name": "Name", "type": "string", "required": True},
        "required": {"type": "string", "required": False},
        "status": {"enum": ["pilot", "operational"], "required": True},
        "published": {"type": "string", "format": "date", "required": True},
        "place": {
            "type": "object",
            "properties": {"area": {"type": "string", "required": True}},
            "required": True,
        },
    },
}
GOOD = {"name": "Forecast", "status": "pilot", "published": "2026-11-22", "place": {"area": "Mitte"}}


def written(folder: Path, schema: Any) -> str:
    path = folder / "schema.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return str(path)


def test_a_schema_whose_fields_mark_themselves_as_required_is_read_as_meant(tmp_path: Path) -> None:
    file = written(tmp_path, MARKED)
    verdict = hold_against({"registrations": [GOOD, GOOD | {"place": {}}, {}]}, "registrations.*", file)
    assert (verdict.marked_fields, verdict.parts) == (6, ("registrations.0", "registrations.1", "registrations.2"))
    assert [(one.field, one.sentence) for one in verdict.problems] == [
        ("registrations.1.place", "'area' is a required property"),
        ("registrations.2", "'name' is a required property"),
        ("registrations.2", "'status' is a required property"),
        ("registrations.2", "'published' is a required property"),
        ("registrations.2", "'place' is a required property"),
    ]


def test_wrong_types_choices_and_dates_are_named_with_their_place(tmp_path: Path) -> None:
    wrong = {"name": 7, "status": "done", "published": "22.11.2026", "place": {"area": "Mitte"}}
    verdict = hold_against({"assessment": wrong}, "assessment", written(tmp_path, MARKED))
    assert {one.field: one.sentence for one in verdict.problems} == {
        "assessment.name": "7 is not of type 'string'",
        "assessment.status": "'done' is not one of ['pilot', 'operational']",
        "assessment.published": "'22.11.2026' is not a 'date'",
    }
    assert verdict.as_json()["fits"] is False


def test_what_nobody_has_said_is_missing_however_well_it_reads(tmp_path: Path) -> None:
    verdict = hold_against(GOOD | {"name": OPEN}, "", written(tmp_path, MARKED))
    assert [(one.field, one.sentence) for one in verdict.problems] == [("", "'name' is a required property")]


def test_a_part_of_a_file_of_an_older_draft_is_enough(tmp_path: Path) -> None:
    schema = {
        "$schema": DRAFT_4,
        "required": ["title"],
        "definitions": {
            "words": {"type": "array", "items": {"type": "string"}},
            "metadata": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"region": {"$ref": "#/definitions/words"}},
            },
        },
    }
    file = f"{written(tmp_path, schema)}#/definitions/metadata"
    content = {"records": [{"publication": {"region": ["london"]}}, {"publication": {"region": "london", "more": 1}}]}
    verdict = hold_against(content, "records.*.publication", file)
    assert verdict.dialect == DRAFT_4.removesuffix("#")
    assert {one.field for one in verdict.problems} == {"records.1.publication", "records.1.publication.region"}
    with pytest.raises(InputError, match="the file has no part 'nothing' there"):
        hold_against(content, "records.*.publication", f"{written(tmp_path, schema)}#/definitions/nothing")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("---\ntitle: schema\n---\n{}", "is not JSON: .* Download the schema itself"),
        ("[]", "is not a JSON Schema, which is an object"),
        (
            '{"$schema": "https://city.example/draft-99"}',
            "is written in https://city.example/draft-99, which is no draft",
        ),
        ('{"properties": {"type": {"type": "enum"}}}', "is not a JSON Schema: at properties/type/type, 'enum' is not"),
        (
            '{"$ref": "https://city.example/other.json"}',
            "refers to https://city.example/other.json.* nothing is fetched",
        ),
    ],
)
def test_what_is_no_schema_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        hold_against(GOOD, "", str(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.json cannot be read"):
        hold_against(GOOD, "", str(tmp_path / "missing.json"))
