"""What `deploy/` names exists: packages, commands, settings, secrets, volumes, and folders that each unit has to itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from services.cli import app
from services.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
KEEPING = {"ingest", "worker", "admin"}  # the processes that write into the data folder
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def commands() -> set[str]:
    group: Any = get_command(app)
    return set(group.commands)


def known(variable: str) -> bool:
    name = variable.removeprefix(PREFIX).lower()
    return name in Settings.model_fields or name.removesuffix("_file") in Settings.model_fields


def unit(path: Path) -> dict[str, list[str]]:
    """The values of each key, in order; no key of our units is in two sections."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_image_takes_in_every_package_that_is_built() -> None:
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    }
    needed = {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "pyproject.toml"}
    needed |= {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    assert needed <= copied
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_compose_builds_the_version_of_this_project() -> None:
    assert {service["image"] for service in OURS.values()} == {f"arterial:{PROJECT['project']['version']}"}


def test_compose_names_commands_and_settings_that_exist() -> None:
    assert {word for service in OURS.values() for word in service["command"]} <= commands()
    given = {name for service in OURS.values() for name in service["environment"]}
    assert [name for name in sorted(given) if not known(name)] == []


def test_every_secret_that_is_read_is_given_and_every_one_that_is_given_is_read() -> None:
    for name, service in COMPOSE["services"].items():
        values = [str(value) for value in service.get("environment", {}).values()]
        read = {value.removeprefix("/run/secrets/") for value in values if value.startswith("/run/secrets/")}
        assert read == set(service.get("secrets", [])), name
        assert read <= set(COMPOSE["secrets"]), name


def test_what_has_to_last_is_in_a_volume() -> None:
    """The root file system is read-only: without one the worker could neither sign nor remember what was spent."""
    folder = re.findall(r"ARTERIAL_DATA_DIR=(\S+)", DOCKERFILE)[0]
    at = {name: [one.partition(":") for one in service.get("volumes", [])] for name, service in OURS.items()}
    kept = {name: source for name, found in at.items() for source, _, target in found if target == folder}
    assert set(kept) == KEEPING
    assert kept["admin"] == kept["worker"] != kept["ingest"]
    assert set(kept.values()) <= set(COMPOSE["volumes"])


def test_every_container_of_ours_is_confined() -> None:
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"], name
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(":-127.0.0.1}:" in port for port in published)


@pytest.mark.mosquitto
def test_the_secrets_that_are_drawn_are_those_that_the_processes_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, require_mosquitto: str
) -> None:
    (tmp_path / "setup").mkdir()
    script = shutil.copy(DEPLOY / "setup" / "secrets.sh", tmp_path / "setup")
    drawn = subprocess.run(["bash", script, "det-001"], check=True, capture_output=True, text=True).stdout
    folder = tmp_path / "secrets"
    first = {file.name: file.read_text() for file in folder.iterdir()}
    subprocess.run(["bash", script], check=True)

    assert drawn.startswith("det-001 ")
    assert folder.stat().st_mode & 0o077 == 0
    assert {Path(one["file"]).name for one in COMPOSE["secrets"].values()} <= set(first)
    accounts = re.findall(r"^(.+?):", first.pop("mosquitto_passwords"), re.MULTILINE)
    assert accounts == ["arterial-ingest", "det-001"]
    assert {name: (folder / name).read_text() for name in first} == first
    for name, service in OURS.items():
        with monkeypatch.context() as clean:
            for variable in [one for one in os.environ if one.startswith(PREFIX)]:
                clean.delenv(variable)
            for variable, value in service["environment"].items():
                plain = re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
                clean.setenv(variable, plain.replace("/run/secrets", str(folder)))
            settings = load_settings(join_running=False)
        if "database_owner_url" in service["secrets"]:
            assert settings.owner_dsn() == first["database_owner_url"], name
        for role in ("ingest", "jobs", "api"):
            if f"database_{role}" in service["secrets"]:
                assert f"arterial_{role}:{first[f'database_{role}']}@database:5432" in settings.role_dsn(role), name
        if "mqtt_url" in service["secrets"]:
            assert settings.broker_url() == first["mqtt_url"], name
        assert (settings.privacy_objection_key is not None) == (name in {"ingest", "admin"}), name


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_names_what_exists(path: Path) -> None:
    keys = unit(path)
    program, command = keys["ExecStart"][0].split()
    assert program == "/opt/arterial/bin/arterial"
    assert command in commands()
    variables = dict(value.split("=", 1) for value in keys["Environment"])
    assert [name for name in variables if not known(name)] == []
    folder = f"/var/lib/{keys['StateDirectory'][0]}"
    assert (keys["WorkingDirectory"], variables["ARTERIAL_DATA_DIR"]) == ([folder], folder)


def test_units_do_not_share_a_folder() -> None:
    """Each runs as a user of its own: whoever starts last would take a shared folder from the others."""
    folders = [unit(path)["StateDirectory"][0] for path in UNITS]
    assert len(set(folders)) == len(UNITS) == 4


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: the package systemd has it")
    copies = []
    for path in UNITS:
        copy = tmp_path / path.name.replace("@.", "@1.")
        copy.write_text(path.read_text(encoding="utf-8").replace("/opt/arterial/bin/arterial", "/bin/true"))
        copies.append(str(copy))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copies], check=False, capture_output=True, text=True
    )
    said = [line for line in verified.stderr.splitlines() if "arterial" in line]
    assert said == []


def test_settings_named_in_units_and_compose_are_recognised() -> None:
    assert known("ARTERIAL_MQTT_URL_FILE")
    assert not known("ARTERIAL_MQTT_URI")
