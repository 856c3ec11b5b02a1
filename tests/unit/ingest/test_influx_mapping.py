from __future__ import annotations

from pathlib import Path

import pytest

from ingest.influx import mapping
from ingest.influx.line_protocol import Point
from ingest.influx.mapping import Values
from services.errors import InputError

GOOD = """
[[series]]
measurement = "detector"
kind = "traffic"
sensor = "{site}-{lane}"
[series.fields]
flow = "flow_vph"
"""


def read(folder: Path, text: str) -> mapping.Mapping:
    file = folder / "city.toml"
    file.write_text(text, encoding="utf-8")
    return mapping.read(file)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('kind = "traffic"', 'kind = "trafic"', "Invalid enum value 'trafic' in kind of [[series]] number 1"),
        ('kind = "traffic"', 'kind = "household"', "Invalid enum value 'household' in kind of [[series]] number 1"),
        ('sensor = "{site}-{lane}"', "", "it missing required field `sensor` in [[series]] number 1"),
        ('sensor = "{site}-{lane}"', 'sensor = "{site-{lane}"', "a tag is written"),
        ('sensor = "{site}-{lane}"', 'sensor = "{}"', "a tag is written"),
        ('flow = "flow_vph"', "", "fields is empty: write which field is which column"),
        ('flow = "flow_vph"', 'flow = "Flow"', '"Flow" is no column or quantity: lower case, digits and underscores'),
        (
            'flow = "flow_vph"',
            'flow = "vehicles"',
            "none is a column of traffic, which are flow_vph, speed_kmh, occupancy",
        ),
        ('flow = "flow_vph"', 'flow = "flow_vph"\nq = "flow_vph"', 'two fields go to "flow_vph"'),
        ('flow = "flow_vph"', 'flow = { to = "flow_vph", factor = 2 }', "contains unknown field `factor`"),
        ('flow = "flow_vph"', 'flow = { to = "flow_vph", times = "2" }', "Expected `float`, got `str`"),
        (
            "[series.fields]",
            "interval_s = -5\n[series.fields]",
            "Expected `float` >= 0.0 in interval_s of [[series]] number 1",
        ),
        ("[series.fields]", 'stamp = "end"\n[series.fields]', 'stamp = "end" needs interval_s'),
        (
            "[series.fields]",
            "intervals = 5\n[series.fields]",
            "contains unknown field `intervals` in [[series]] number 1",
        ),
        ("[[series]]", "[series", "is not TOML"),
        (GOOD, "", "missing required field `series`"),
        (GOOD, "series = []", "has no [[series]]"),
    ],
)
def test_a_wrong_mapping_says_file_key_and_what_to_do(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as refused:
        read(tmp_path, GOOD.replace(old, new))

    assert str(tmp_path / "city.toml") in str(refused.value)
    assert reason in str(refused.value)


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read: No such file"):
        mapping.read(tmp_path / "none.toml")


def point(**parts: object) -> Point:
    whole = {
        "measurement": "detector",
        "tags": {"site": "a/b", "lane": "1"},
        "fields": {"flow": 7},
        "time_us": 1_000_000,
    }
    return Point(**{**whole, **parts})  # type: ignore[arg-type]  # tests give wrong ones too


def test_a_point_becomes_what_the_mapping_says(tmp_path: Path) -> None:
    plan = read(tmp_path, GOOD.replace("flow =", 'speed = { to = "speed_kmh", times = 3.6, plus = 1 }\nflow ='))

    assert plan.values(point(fields={"flow": 7, "speed": 10.0, "other": "x"})) == Values(
        series=0, sensor="a-b-1", observed_us=1_000_000, values={"speed_kmh": 37.0, "flow_vph": 7.0}
    )
    assert plan.values(point(measurement="other")) is None
    assert plan.values(point(fields={"other": 1})) is None


def test_the_end_of_an_interval_is_moved_to_its_start(tmp_path: Path) -> None:
    plan = read(tmp_path, GOOD.replace("[series.fields]", 'stamp = "end"\ninterval_s = 0.25\n[series.fields]'))

    found = plan.values(point())
    assert found is not None
    assert found.observed_us == 750_000


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"tags": {"site": "a"}}, "the tag lane is missing"),
        ({"tags": {"site": "a\n", "lane": "1"}}, "unprintable"),
        ({"fields": {"flow": "7"}}, "the field flow is the text '7', a number is expected"),
        ({"fields": {"flow": float("inf")}}, "the field flow is inf"),
        ({"time_us": None}, "the point has no time"),
    ],
)
def test_a_point_that_cannot_be_used_says_why(tmp_path: Path, parts: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(tmp_path, GOOD).values(point(**parts))


def test_the_first_series_whose_tags_fit_has_the_point(tmp_path: Path) -> None:
    def one(place: str) -> str:
        return GOOD.replace("{site}-{lane}", place).replace(
            "[series.fields]", f'where = {{ site = "{place}" }}\n[series.fields]'
        )

    plan = read(tmp_path, one("north") + one("south"))

    assert plan.values(point(tags={"site": "south"})) == Values(
        series=1, sensor="south", observed_us=1_000_000, values={"flow_vph": 7.0}
    )
    assert plan.values(point(tags={"site": "west"})) is None
