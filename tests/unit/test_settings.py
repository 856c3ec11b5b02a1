"""Settings come from the environment, from files and from arterial.toml, and explain themselves when wrong."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel

from services.errors import ConfigurationError
from services.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_need_nothing() -> None:
    assert load_settings() == Settings()


def test_the_environment_wins_over_the_file(in_an_empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_an_empty_folder / "arterial.toml").write_text('city_name = "From the file"\napi_port = 8123\n')
    monkeypatch.setenv("ARTERIAL_CITY_NAME", "From the environment")

    settings = load_settings()

    assert (settings.city_name, settings.api_port) == ("From the environment", 8123)


def test_a_secret_can_be_a_file(in_an_empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = in_an_empty_folder / "password"
    secret.write_text("p/w@1\n")
    monkeypatch.setenv("ARTERIAL_DATABASE_PASSWORD_API_FILE", str(secret))
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", "postgresql://owner:x@db:5433/arterial")

    settings = load_settings()

    assert settings.role_dsn("api") == "postgresql://arterial_api:p%2Fw%401@db:5433/arterial"
    assert "p/w@1" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ARTERIAL_API_PORT", "eighty", "ARTERIAL_API_PORT"),
        ("ARTERIAL_API_PROT", "8000", "unknown setting ARTERIAL_API_PROT"),
        ("ARTERIAL_CITY_TIMEZONE", "Europe/Berlyn", "not an IANA time zone"),
        ("ARTERIAL_DATABASE_URL", "localhost:5432", "a URL such as postgresql://"),
        ("ARTERIAL_MQTT_RECEIVE_MAXIMUM", "5000", "must be at least 4 x ingest_batch_messages"),
        ("ARTERIAL_MQTT_TOPICS", "city/#", "lists are written as JSON"),
        ("ARTERIAL_MQTT_URL_FILE", "/nowhere/secret", "cannot be read: No such file"),
        ("ARTERIAL_PRIVACY_EPSILON_DAY", "8", "less than or equal to 2.64"),
    ],
)
def test_a_wrong_setting_is_named_with_its_reason(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=words.replace("(", r"\(")) as caught:
        load_settings()

    assert caught.value.exit_code == 2


def test_a_wrong_file_is_named(in_an_empty_folder: Path) -> None:
    (in_an_empty_folder / "arterial.toml").write_text("api_port = \n")
    with pytest.raises(ConfigurationError, match=r"arterial\.toml is not valid TOML"):
        load_settings()

    (in_an_empty_folder / "arterial.toml").write_text("api_prot = 80\n")
    with pytest.raises(ConfigurationError, match=r"arterial\.toml has an unknown setting 'api_prot'"):
        load_settings()


def test_other_commands_join_the_city_that_runs_here(in_an_empty_folder: Path) -> None:
    folder = in_an_empty_folder / ".arterial"
    folder.mkdir()
    endpoints = {
        "database": "postgresql://arterial:s%2Fcret@127.0.0.1:40001/arterial",
        "mqtt": "mqtt://127.0.0.1:1883",
        "mqtt_protocol": "3.1.1",
        "settings": {"privacy_plans": ["presence=0.7", "trip_lengths"]},
    }
    (folder / "endpoints.json").write_text(json.dumps(endpoints))

    joined = load_settings()

    assert joined.role_dsn("jobs") == "postgresql://arterial_jobs:s%2Fcret@127.0.0.1:40001/arterial"
    assert joined.mqtt_protocol == "3.1.1"
    assert joined.privacy_plans == ("presence=0.7", "trip_lengths"), "what the city set by itself holds here too"
    assert load_settings(join_running=False).database_url is None


def test_what_is_said_explicitly_is_not_taken_from_the_city_that_runs_here(
    in_an_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = in_an_empty_folder / ".arterial"
    folder.mkdir()
    endpoints = {
        "database": "postgresql://arterial:s%2Fcret@127.0.0.1:40001/arterial",
        "mqtt": "mqtt://127.0.0.1:1883",
        "mqtt_protocol": "3.1.1",
        "settings": {"privacy_plans": ["presence=0.7", "trip_lengths"]},
    }
    (folder / "endpoints.json").write_text(json.dumps(endpoints))
    monkeypatch.setenv("ARTERIAL_MQTT_URL", "mqtt://elsewhere:1884")
    monkeypatch.setenv("ARTERIAL_PRIVACY_PLANS", '["presence"]')

    joined = load_settings({"database_password_jobs": "mine"})

    assert joined.broker_url() == "mqtt://elsewhere:1884", (
        "a command must not publish to another broker than it was told"
    )
    assert joined.mqtt_protocol == Settings().mqtt_protocol
    assert joined.privacy_plans == ("presence",)
    assert joined.role_dsn("jobs") == "postgresql://arterial_jobs:mine@127.0.0.1:40001/arterial"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ARTERIAL_API_PROT", "did you mean ARTERIAL_API_PORT"),
        ("ARTERIAL_TIMEZONE", "did you mean ARTERIAL_CITY_TIMEZONE"),
        ("ARTERIAL_XYZZY", r"see deploy/\.env\.example"),
    ],
)
def test_a_misspelt_setting_is_told_what_it_may_have_meant(
    typed: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(typed, "1")
    with pytest.raises(ConfigurationError, match=meant):
        load_settings()


def test_no_database_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="set ARTERIAL_DATABASE_URL, or start everything"):
        load_settings().owner_dsn()


def test_no_group_of_settings_hides_what_another_one_says() -> None:
    groups = [base for base in Settings.__bases__ if base.__module__.startswith("services.settings.")]
    said = [name for group in groups for name in vars(group) if not name.startswith("__")]
    said = [name for name in said if name not in vars(BaseModel) and not name.startswith("_abc")]
    fields = [name for group in groups for name in group.model_fields]
    assert len(groups) == 11
    assert sorted(fields) == sorted(Settings.model_fields)
    assert [name for name, times in Counter([*said, *fields]).items() if times > 1] == []
