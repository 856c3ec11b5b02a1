"""What people see: the public page, on a wide screen and on a phone, and the badges that lead to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

READY = "document.querySelectorAll('#privacy-body .card').length >= 10"


def test_everybody_finds_the_page_from_a_badge_and_can_read_it_on_a_phone(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/mobility")
    badge = "[...document.querySelectorAll('.badge a')].find(a => a.innerText.includes('plan presence v1'))"
    assert "ε 0.8 per day, threshold 15" in window.wait(f"{badge} && {badge}.innerText")
    bare = "[...document.querySelectorAll('#page .card')].filter(c => !c.querySelector('.badge')).length"
    assert window.run(f"return {bare}") == 2, "the controls and the explanation show no data"
    window.run(f"{badge}.click()")
    window.wait(READY)
    assert window.run("return location.pathname") == "/dash/privacy"
    text = window.text()
    for said in ("At most 48 hours", "one vehicle's local day", "0.8 of 1", "79", "both look the same on purpose"):
        assert said in text
    for said in ("mobility, tighter", "1.37", "a short version of", "sybil-isolation"):
        assert said in text
    assert (
        window.run("return [...document.querySelectorAll('[data-state]')].map(e => e.dataset.state)").count("failed")
        == 0
    )

    window.resize(390, 844)
    window.open(f"{site.url}/privacy?theme=dark")
    window.wait(READY)
    assert window.run("return document.documentElement.scrollWidth") <= 390
    cut = (
        "[...document.querySelectorAll('#privacy-body td > div')].filter(d => d.scrollWidth > d.clientWidth + 1).length"
    )
    assert window.run(f"return {cut}") == 0
    small = (
        "[...document.querySelectorAll('#privacy-body a')].filter(a => a.getBoundingClientRect().height < 24).length"
    )
    assert window.run(f"return {small}") == 0
    assert window.console() == []
    asked = {urlsplit(url).hostname for url in window.requests() if urlsplit(url).scheme in ("http", "https", "ws")}
    assert asked == {"127.0.0.1"}
