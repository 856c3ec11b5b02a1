"""Code concerned with documents for people: Markdown, or a page to print, both from the same blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from services.governance.documents.document import Document
from services.governance.documents.opening import BY_A_PERSON, OPEN

_CODE: Final = re.compile(r"`([^`]+)`")
_MOST_COLUMNS: Final = 8
_LONGEST_CELL: Final = 90
_SIGNS: Final = {"id": "ID", "url": "URL", "dpia": "DPIA", "mae": "MAE", "wape": "WAPE", "eu": "EU", "ai": "AI"}

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #17202e; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #ccc; } h3, h4, h5, h6 { font-size: 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { border: 1px solid #ccc; padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem; overflow-wrap: anywhere; }
mark { background: #ffe9a8; color: inherit; }
@media print { body { margin: 0; max-width: none; } h2, h3 { break-after: avoid; } tr { break-inside: avoid; } }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """The name of what follows; 2 is a chapter."""

    level: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bullets:
    """A list under its name."""

    name: str
    entries: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of single values."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Field | Bullets | Table


def markdown(document: Document) -> str:
    """The document as Markdown."""
    parts = [f"# {document.title}", f"{_about(document)}"]
    for block in _blocks(document):
        match block:
            case Heading():
                parts.append(f"{'#' * block.level} {block.text}")
            case Field():
                parts.append(f"**{block.name}:** {block.value}")
            case Bullets():
                parts.append("\n".join([f"**{block.name}:**", "", *(f"- {entry}" for entry in block.entries)]))
            case Table():
                head = [f"| {' | '.join(block.columns)} |", f"|{'---|' * len(block.columns)}"]
                rows = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in block.rows]
                parts.append("\n".join([*head, *rows]))
    return "\n\n".join(parts) + "\n"


def page(document: Document) -> str:
    """The document as one HTML page that needs nothing else and prints well; what is open is marked."""
    parts = [f"<h1>{escape(document.title)}</h1><p>{escape(_about(document))}</p>"]
    for block in _blocks(document):
        match block:
            case Heading():
                level = min(block.level, 6)
                parts.append(f"<h{level}>{escape(block.text)}</h{level}>")
            case Field():
                parts.append(f"<dl><dt>{escape(block.name)}</dt><dd>{_marked(block.value)}</dd></dl>")
            case Bullets():
                entries = "".join(f"<li>{_marked(entry)}</li>" for entry in block.entries)
                parts.append(f"<dl><dt>{escape(block.name)}</dt><dd><ul>{entries}</ul></dd></dl>")
            case Table():
                head = "".join(f'<th scope="col">{escape(name)}</th>' for name in block.columns)
                rows = "".join(f"<tr>{''.join(f'<td>{_marked(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
                parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(document.title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _about(document: Document) -> str:
    return (
        f"After {document.standard}. Made from the running configuration and database at "
        f"{document.made_at:%Y-%m-%d %H:%M} UTC; change those, not this text. Checked by {document.judged_by}."
    )


def _blocks(document: Document) -> Iterator[Block]:
    problems, to_sign = document.problems, document.to_sign
    if problems:
        yield Heading(level=2, text="Not complete")
        yield Table(columns=("Field", "What is missing"), rows=[(one.field, one.sentence) for one in problems])
    if to_sign:
        yield Field(name="For a person to fill and sign", value=f"{len(to_sign)} fields, which say so")
    yield from _inside(document.content, 2)


def _inside(content: Mapping[str, Any], level: int) -> Iterator[Block]:
    for name, value in content.items():
        yield from _one(label(name), value, level)


def _one(name: str, value: Any, level: int) -> Iterator[Block]:
    if isinstance(value, Mapping):
        yield Heading(level=level, text=name)
        yield from _inside(value, level + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(isinstance(entry, Mapping) for entry in value):
            yield Heading(level=level, text=name)
            yield from _listed(value, level + 1)
        else:
            yield Bullets(name=name, entries=[words(entry) for entry in value] or ["none"])
    else:
        yield Field(name=name, value=words(value))


def _listed(entries: Sequence[Mapping[str, Any]], level: int) -> Iterator[Block]:
    columns = list(entries[0])
    flat = all(list(entry) == columns for entry in entries) and len(columns) <= _MOST_COLUMNS
    if flat and all(_short(cell) for entry in entries for cell in entry.values()):
        rows = [[words(cell) for cell in entry.values()] for entry in entries]
        yield Table(columns=[label(name) for name in columns], rows=rows)
        return
    for number, entry in enumerate(entries, start=1):
        key = next((key for key in ("name", "title") if key in entry), None)
        yield Heading(level=level, text=str(number) if key is None else str(entry[key]))
        yield from _inside({name: value for name, value in entry.items() if name != key}, level + 1)


def _short(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple) and len(words(value)) <= _LONGEST_CELL


def words(value: Any) -> str:
    """A single value for a person."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def label(name: str) -> str:
    """`newest_proof` as Newest proof."""
    parts = [_SIGNS.get(part.lower(), part) for part in name.split("_")]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def _marked(text: str) -> str:
    shown = _CODE.sub(r"<code>\1</code>", escape(text))
    return f"<mark>{shown}</mark>" if OPEN in text or BY_A_PERSON in text else shown
