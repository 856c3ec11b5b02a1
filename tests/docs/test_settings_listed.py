"""`deploy/.env.example` lists every setting with its meaning and its default, and nothing else.

After a change of the settings: `UPDATE_ENV_EXAMPLE=1 pytest tests/docs` writes the file anew; read its diff.
"""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

from services.settings import PREFIX, Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / ".env.example"
HEAD = """\
# Every setting of Arterial with its default. Copy what you change; what stays commented keeps its default.
# A secret can also be given as a file: ARTERIAL_DATABASE_URL_FILE=/run/secrets/database_url
# The same names without ARTERIAL_ and in lower case work in an arterial.toml in the working directory.
"""


def example() -> str:
    """The file as the settings describe it."""
    blocks = [HEAD]
    for name, field in Settings.model_fields.items():
        words = textwrap.fill(f"{field.description}", width=118, initial_indent="# ", subsequent_indent="# ")
        default = field.default
        value = "" if default is None else json.dumps(default) if isinstance(default, tuple) else str(default)
        blocks.append(f"{words}\n# {PREFIX}{name.upper()}={value}\n")
    return "\n".join(blocks)


def test_env_example_lists_every_setting() -> None:
    if os.environ.get("UPDATE_ENV_EXAMPLE") == "1":
        EXAMPLE.write_text(example(), encoding="utf-8")

    assert EXAMPLE.read_text(encoding="utf-8") == example()


def test_every_setting_is_described() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]
