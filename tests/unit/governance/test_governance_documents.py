"""Governance documents from facts by hand: complete once the organisation has spoken, and never in its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from ingest.decoders.catalogue import DIALECTS
from models.catalogue import FORECASTERS, SPECIAL
from services.domain import PERSONAL_KINDS
from services.errors import ConfigurationError
from services.governance.documents import algoritmeregister, atrs
from services.governance.documents.catalogue import DOCUMENTS, PUBLIC
from services.governance.documents.document import Document
from services.governance.documents.domains import DOMAINS
from services.governance.documents.dpia import RISKS
from services.governance.documents.facts import Facts, decisive
from services.governance.documents.opening import BY_A_PERSON, STATEMENTS, leaves, require_known_statements
from services.governance.documents.render import markdown, page
from services.governance.transparency import transparency
from services.privacy.attacks.catalogue import ATTACKS
from services.privacy.plan import enabled_plans
from services.settings import Settings, load_settings
from services.storage.governance import ModelScore, Served
from services.storage.red_team import RedTeamResult

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

# The required attributes of https://standaard.algoritmeregister.org, schema 0.3.1.
NL_REQUIRED = (
    "name description_short organization department contact_email area domain status decision_making_process goal impact "
    "risks risk_category proportionality lawful_basis training_data source_data connected_data_sources algorithm_type "
    "description monitoring type human_intervention objection_procedure standard_version lang publication_date "
    "last_change_date revision_date"
)
# The attributes that the same schema has and does not require.
NL_OPTIONAL = (
    "contact_phone contact_name website remark documentation data_bias DPIA_description DPIA_url methods_and_models performance "
    "alternatives_considered product_information codebase_url product_page AIA_description AIA_url rollback uuid revision_note "
    "keywords"
)
# The attributes of the ATRS 3.0 template, by number; those that its publisher gives out and suppliers' own are left out.
UK_ATTRIBUTES = (
    "name description website_url contact_email organisation_or_department team senior_responsible_owner "
    "external_supplier_involvement procurement_procedure_type data_access_terms detailed_description scope benefit "
    "previous_process alternatives_considered process_integration provided_information frequency_and_scale_of_usage "
    "human_decisions_and_review required_training appeals_and_review system_architecture phase maintenance models "
    "model_name model_version model_task model_input model_output model_architecture model_performance datasets "
    "dataset_purposes source_data_name data_modality data_description data_quantities sensitive_attributes "
    "data_completeness_and_representativeness source_data_url data_collection data_cleaning data_sharing_agreements "
    "data_access_and_storage impact_assessment risks_and_mitigations"
)
# The required attributes of the Model DPIA Rijksdienst 1.0, as the same project has them.
DPIA_ATTRIBUTES = (
    "organization department introduction proposal personal_data data_processing processing_purposes involved_parties "
    "interests processing_locations techniques_and_methods legal_and_policy_framework retention_periods legal_basis "
    "sensitive_personal_data purpose_limitation necessity_and_proportionality rights risks measures additions"
)


def organisation(tmp_path: Path, **changes: Any) -> Settings:
    """Settings in which everything is said, about nobody who exists."""
    said = {
        "controller": "Example City",
        "address": "1 Example Street",
        "department": "Traffic office",
        "contact_email": "data@city.example",
        "data_protection_officer": "dpo@city.example",
        "lawful_basis": "GDPR Art. 6(1)(e)",
        "transfers": "none",
        "processors": [],
        "objection": "By letter to the traffic office",
        "status": "pilot",
        "published_on": "2026-11-22",
        "revise_by": "2027-11-22",
        "statements": dict.fromkeys(STATEMENTS, "As an example.")
        | {"organisation_type": "Local authority", "region": "London, North East"},
    }
    settings = {f"governance_{name}": value for name, value in said.items()} | changes
    return load_settings({"data_dir": tmp_path, "public_url": "https://city.example", **settings}, join_running=False)


def facts(settings: Settings) -> Facts:
    return Facts(
        settings=settings, at=NOW, today=date(2026, 11, 22), plans=enabled_plans(settings),
        sensors={"traffic": 3, "energy": 2}, releases=[], budgets=[], destructions=[], red_team=None, red_team_weekly=None, fairness=None,
        audit_rows=1, audit_head=bytes(32), checkpoint=None, changed=None, ledger_checked=None, served=[], scores=[],
    )  # fmt: skip


@pytest.fixture
def silent(tmp_path: Path) -> Facts:
    """Of an organisation that has said nothing."""
    return facts(load_settings({"data_dir": tmp_path}, join_running=False))


@pytest.fixture
def spoken(tmp_path: Path) -> Facts:
    """Of an organisation that has said everything."""
    return facts(organisation(tmp_path))


def made(kind: str, known: Facts) -> Document:
    return DOCUMENTS[kind](known)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_is_complete_once_the_organisation_has_spoken(kind: str, spoken: Facts) -> None:
    assert made(kind, spoken).problems == []


@pytest.mark.parametrize("kind", [kind for kind in DOCUMENTS if kind != "cards"])
def test_what_nobody_has_said_is_asked_by_name_and_never_made_up(kind: str, silent: Facts, spoken: Facts) -> None:
    document = made(kind, silent)
    asked = {problem.field: problem.sentence for problem in document.problems}
    assert asked
    assert all("ARTERIAL_GOVERNANCE_" in sentence for sentence in asked.values())
    told = dict(leaves(made(kind, spoken).content))
    assert [path for path, value in told.items() if "As an example." in str(value) and path not in asked] == []


def test_the_dutch_records_have_the_fields_and_choices_of_the_standard(spoken: Facts) -> None:
    fields = algoritmeregister.Registration.model_fields
    assert {name for name, field in fields.items() if field.is_required()} >= set(NL_REQUIRED.split())
    assert {name for name, field in fields.items() if field.is_required()} == set(NL_REQUIRED.split())
    assert {name for name, field in fields.items() if not field.is_required()} == set(NL_OPTIONAL.split())
    assert len(get_args(algoritmeregister.Domain)) == 21
    records = made("register-nl", spoken).content["registrations"]
    assert [record["standard_version"] for record in records] == ["0.3.1"] * 3
    assert len({record["uuid"] for record in records}) == 3
    assert all(500 <= len(record["description"]) <= 10_000 for record in records)


def test_the_british_records_have_the_attributes_of_both_tiers(spoken: Facts) -> None:
    tier_2 = [field.annotation for field in atrs.Tier2.model_fields.values()]
    sections = [atrs.Tier1, *(section for section in tier_2 if section is not None)]
    assert {name for section in sections for name in section.model_fields} == set(UK_ATTRIBUTES.split())
    assert len(made("register-uk", spoken).content["records"]) == 3


def test_british_records_stand_in_the_words_under_which_govuk_publishes_them(spoken: Facts, tmp_path: Path) -> None:
    shown = made("register-uk", spoken).content["records"][0]["publication"]
    assert {name.removeprefix("algorithmic_transparency_record_"): value for name, value in shown.items()} == {
        "organisation": "example-city",
        "organisation_type": ["local-authority"],
        "function": ["economic-affairs"],
        "capability": ["forecasting"],
        "task": "Forecast of road traffic",
        "phase": "beta-pilot",
        "region": ["london", "north-east"],
        "date_published": "2026-11-22",
        "atrs_version": "v3.0",
        "other_tags": "predictive, self-learning, traffic",
    }
    abroad = spoken.settings.governance_statements | {"region": "Berlin"}
    problems = made("register-uk", facts(organisation(tmp_path, governance_statements=abroad))).problems
    assert [problem.field.removesuffix("algorithmic_transparency_record_region.0") for problem in problems] == [
        f"records.{number}.publication." for number in range(3)
    ]
    assert all("'england-and-wales'" in problem.sentence for problem in problems)


def test_a_record_names_joint_controllers_and_the_representative(spoken: Facts, silent: Facts) -> None:
    said = made("record", spoken).content["controller"]
    assert (said["joint_controllers"], said["representative"]) == ("As an example.", "As an example.")
    asked = {problem.field: problem.sentence for problem in made("record", silent).problems}
    assert "key representative" in asked["controller.representative"]


def test_the_assessment_has_the_fields_of_the_model_and_signs_nothing(spoken: Facts) -> None:
    attacks = [
        {"name": "trajectory-recovery", "control_passed": True, "advantage": 0.3, "limit": 0.02, "passed": False},
        {"name": "averaging", "control_passed": True, "advantage": 0.0, "limit": 0.0, "passed": True},
    ]
    failed = RedTeamResult(finished_at=NOW, passed=False, result={"attacks": attacks})
    document = made("dpia", replace(spoken, red_team=failed))
    assert set(document.content["assessment"]) == set(DPIA_ATTRIBUTES.split())
    assert document.problems == []
    assert all(value.startswith(BY_A_PERSON) for value in document.content["sign_off"].values())
    measured = {risk["measured"] for risk in document.content["residual_risks"]}
    assert "2026-11-22: trajectory-recovery NOT under its limit" in measured
    assert "NOT every attack stayed under its limit" in document.content["assessment"]["risks"]
    assert len(document.to_sign) == 6 + 3 * len(document.content["residual_risks"])


def test_every_attack_that_there_is_belongs_to_a_risk() -> None:
    assert sorted(name for _, _, names in RISKS for name in names) == sorted(attack.name for attack in ATTACKS)


def test_every_personal_dialect_is_a_source_of_a_domain() -> None:
    personal = sorted(name for name, dialect in DIALECTS.items() if dialect.personal)
    assert sorted(name for domain in DOMAINS for name in domain.dialects) == personal
    assert {domain.kind for domain in DOMAINS} == set(PERSONAL_KINDS)


def test_a_safety_component_is_high_risk_and_needs_the_articles(spoken: Facts, tmp_path: Path) -> None:
    plain = made("ai-act", spoken).content["uses"]
    assert [use["classification"] for use in plain] == ["not high risk", "not high risk", "not an AI system"]
    assert not any(artefact["required"] for use in plain for artefact in use["artefacts"])
    steering = facts(organisation(tmp_path, governance_safety_component=True))
    uses = made("ai-act", steering).content["uses"]
    assert [use["classification"] for use in uses] == ["high risk", "high risk", "not an AI system"]
    assert all(artefact["required"] for artefact in uses[0]["artefacts"])
    assert made("register-nl", steering).content["registrations"][0]["risk_category"] == "high risk"


def test_cards_tell_where_a_model_lost(spoken: Facts) -> None:
    served = Served(
        model="profile_ridge", kind="traffic", quantity="flow_vph", series=9, normal=7, degraded=1, stale=1,
        trained_from=NOW - timedelta(days=56), trained_to=NOW, issued_at=NOW, reasons=["only 3 days of history"],
    )  # fmt: skip
    score = {"model": "profile_ridge", "kind": "traffic", "quantity": "flow_vph", "sensors": 3, "n": 500, "mae": 50.0}
    rows = [
        ModelScore(**score, lead_minutes=60, district=None, wape=0.1, skill=0.2, coverage_80=0.8),
        ModelScore(**score, lead_minutes=720, district=None, wape=0.2, skill=-0.1, coverage_80=0.6),
        ModelScore(**score, lead_minutes=None, district="hafen", wape=0.3, skill=None, coverage_80=0.8),
        ModelScore(**score, lead_minutes=None, district="mitte", wape=0.1, skill=None, coverage_80=0.8),
    ]
    cards = {
        card["name"]: card for card in made("cards", replace(spoken, served=[served], scores=rows)).content["cards"]
    }
    assert set(cards) == {model.name for model in (*FORECASTERS, *SPECIAL)}
    mine = cards["profile_ridge"]
    assert [row["lead_minutes"] for row in mine["by_lead_time"]] == [60, 720]
    assert [row["district"] for row in mine["by_district"]] == ["hafen", "mitte"]
    assumed, *measured = mine["known_failure_modes"]
    assert assumed.startswith("Where this does not hold: Assumes that a difference from the usual persists and fades")
    assert measured == [
        "flow_vph, 720 min ahead: 10 % worse than the value of a week before",
        "flow_vph, 720 min ahead: 80 % intervals held 60 % only",
        "flow_vph in hafen: relative error 1.5 times the mean of the districts",
        "flow_vph: 1 series degraded and 1 stale of 9: only 3 days of history",
    ]
    assert "Ridge regression" in cards["network"]["description"]
    assert cards["network"]["known_failure_modes"] == ["Served nothing in the week, so none was measured here"]


def test_the_card_of_a_blend_says_how_it_is_made_and_what_of(spoken: Facts) -> None:
    served = Served(
        model="last_value+profile_ridge", kind="traffic", quantity="flow_vph", series=9, normal=9, degraded=0, stale=0,
        trained_from=NOW - timedelta(days=56), trained_to=NOW, issued_at=NOW, reasons=[],
    )  # fmt: skip
    cards = made("cards", replace(spoken, served=[served], scores=[])).content["cards"]
    mine = next(card for card in cards if card["name"] == "last_value+profile_ridge")
    assert mine["role"] == "Serves 9 series in the newest round"
    said = mine["description"]
    assert said.startswith("Code concerned with which model counts how much")
    alone = {card["name"]: card["description"] for card in cards}
    assert alone["last_value"] in said
    assert alone["profile_ridge"] in said
    assert alone["profile"] not in said


def test_a_document_reads_well_and_runs_nothing(tmp_path: Path) -> None:
    known = facts(organisation(tmp_path, governance_controller="<script>alert(1)</script> | City"))
    document = made("record", known)
    assert "<script>" not in page(document)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | City" in page(document)
    assert "# Record of processing activities" in markdown(document)
    assert "| presence |" in markdown(document)


def test_open_fields_stand_first_and_are_marked(silent: Facts) -> None:
    text = page(made("record", silent))
    assert text.index("Not complete") < text.index("Activities")
    assert "<mark>to be filled: ARTERIAL_GOVERNANCE_CONTROLLER</mark>" in text


def test_a_statement_that_no_document_asks_is_refused(tmp_path: Path) -> None:
    settings = organisation(tmp_path, governance_statements={"previous_proces": "By hand."})
    with pytest.raises(ConfigurationError, match="no document asks previous_proces"):
        require_known_statements(settings)


def test_what_is_public_holds_no_field_to_sign_but_the_form(silent: Facts) -> None:
    assert "dpia" not in PUBLIC
    shown = transparency(silent)
    assert [document["name"] for document in shown["documents"]] == list(PUBLIC)
    assert {row["kind"] for row in shown["collected"] if row["personal"]} >= {"probe", "household"}
    assert shown["red_team"] is shown["fairness"] is None


def test_a_weekly_failure_is_not_hidden_behind_an_older_whole_run() -> None:
    whole = RedTeamResult(finished_at=NOW, passed=True, result={})
    before, later = (replace(whole, finished_at=NOW + timedelta(days=days), passed=False) for days in (-1, 1))
    assert decisive(whole, later) is later
    assert decisive(whole, before) is whole
    assert decisive(whole, replace(later, passed=True)) is whole
    assert decisive(None, later) is later
    assert decisive(whole, None) is whole
