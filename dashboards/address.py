"""Code concerned with the address line: everything a page shows is said by its path and query string."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

PREFIX: Final = "/dash/"
PAGES: Final = ("", "map", "forecast", "energy", "mobility", "privacy")
RANGED: Final = ("forecast", "energy")
"""The pages whose charts follow the time range; elsewhere the control would promise what it does not do."""
RANGES: Final = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
DEFAULT_RANGE: Final = "24h"
_ONE_COLUMN: Final = 1_100
_PHONE: Final = 860
LONGEST: Final = timedelta(days=366)
REFRESHES: Final = {"0": "Off", "5": "5 s", "30": "30 s", "300": "5 min"}
DEFAULT_REFRESH: Final = "30"


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a query string asks for. Whatever cannot be understood falls back to its default."""

    params: dict[str, str] = field(default_factory=dict)
    width: int = 1280
    """Of the window, as far as the browser has said [pixels]."""

    def text(self, name: str, default: str = "") -> str:
        """One parameter, at most 200 characters of it."""
        return self.params.get(name, default)[:200]

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One parameter that must be one of `choices`."""
        value = self.params.get(name, default)
        return value if value in choices else default

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """One whole number, held within its bounds."""
        try:
            return min(max(int(self.params.get(name, default)), lowest), highest)
        except ValueError:
            return default

    def map_size(self, share: float, height: int) -> tuple[int, int]:
        """Width and height of a map that takes a share of the page, or all of a narrow one [pixels]."""
        if self.width <= _ONE_COLUMN:
            return max(self.width - 60, 200), min(height, 360) if self.width <= _PHONE else height
        return int((self.width - 300) * share), height

    @property
    def range_name(self) -> str:
        """The preset range, or `custom` when both ends are moments."""
        start = self.params.get("from", f"now-{DEFAULT_RANGE}")
        if start.removeprefix("now-") in RANGES and start.startswith("now-"):
            return start.removeprefix("now-")
        return "custom" if _moment(start) is not None else DEFAULT_RANGE

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """The time range [start, end) the page shows."""
        start = _moment(self.params.get("from", ""))
        end = _moment(self.params.get("to", "")) or now
        if self.range_name == "custom" and start is not None and start < end:
            return max(start, end - LONGEST), end
        return now - RANGES[self.range_name if self.range_name in RANGES else DEFAULT_RANGE], now


def read_view(search: str | None, width: object = None) -> View:
    """The view a query string such as `?from=now-6h&sensor=t-001` asks for."""
    try:
        parameters = dict(parse_qsl((search or "").removeprefix("?"), max_num_fields=40))
    except ValueError:
        parameters = {}
    return View(params=parameters, width=width if isinstance(width, int) and 100 < width < 10_000 else 1280)


def link(page: str, view: View, **changes: str | None) -> str:
    """The address of another page that keeps time range, refresh and theme; a None change takes a parameter away."""
    kept: dict[str, str] = {
        name: view.params[name] for name in ("from", "to", "refresh", "theme") if name in view.params
    }
    for name, value in changes.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return PREFIX + page + (f"?{urlencode(kept)}" if kept else "")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
