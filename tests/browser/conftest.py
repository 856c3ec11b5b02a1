"""A town in a database, a real server, and Debian's chromium that can reach nothing but this host."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn
from psycopg import sql
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

sys.path.insert(0, str(Path(__file__).parent))
from town import build_town

from dashboards.app import mount
from services.api.app import create_app
from services.embedded import Running, free_port
from services.settings import Settings, load_settings
from services.storage.database import connect, pooled

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--hide-scrollbars",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--gaia-url=http://127.0.0.1:9",
    "--component-updater=url-source=http://127.0.0.1:9,--disable-background-downloads",
    "--disable-features=NetworkTimeServiceQuerying,OptimizationHints",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(kw_only=True)
class Site:
    """The dashboard of a town, as served."""

    url: str
    settings: Settings
    codes: dict[str, Any]


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Settings], str]]:
    """Serves dashboards; all servers stop at the end."""
    stops: list[Callable[[], None]] = []

    def start(settings: Settings) -> str:
        pool_context = pooled(settings.role_dsn("api"), application="browser", statement_timeout_s=15)
        pool = pool_context.__enter__()
        api = create_app(settings, pool)
        mount(api, settings, pool)
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(api, host="127.0.0.1", port=port, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)
            pool_context.__exit__(None, None, None)

        stops.append(stop)
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        return f"http://127.0.0.1:{port}"

    yield start
    for stop in stops:
        stop()


@pytest.fixture(scope="session")
def town_settings(postgres: Running, template: str) -> Iterator[tuple[Settings, dict[str, Any]]]:
    """Settings of a database with a town in it."""
    server = postgres.url.rpartition("/")[0]
    name = f"town_{secrets.token_hex(4)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    password = postgres.url.split(":")[2].split("@")[0]
    roles = {f"database_password_{role}": password for role in ("ingest", "jobs", "api")}
    settings = load_settings({"database_url": f"{server}/{name}", **roles})
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        codes = build_town(owner, settings)
    yield settings, codes
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def site(serve: Callable[[Settings], str], town_settings: tuple[Settings, dict[str, Any]]) -> Site:
    settings, codes = town_settings
    return Site(url=serve(settings), settings=settings, codes=codes)


@dataclass
class Browser:
    """One window."""

    driver: WebDriver
    seen: list[str] = field(default_factory=list)

    def resize(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def open(self, url: str) -> None:
        """Load a page from nothing and forget what was logged before."""
        self.driver.get("about:blank")
        self.console()
        self.requests()
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any, patience_s: float = 15) -> Any:
        """The first truthy result of an expression."""
        deadline = time.monotonic() + patience_s
        while True:
            found = self.run(f"return {script}", *arguments)
            if found:
                return found
            assert time.monotonic() < deadline, f"never true: {script}; page says: {self.text()[:600]}"
            time.sleep(0.1)

    def text(self) -> str:
        return str(self.run("return document.body.innerText"))

    def console(self) -> list[str]:
        """Errors the page has logged since the last call."""
        return [str(e["message"]) for e in self.driver.get_log("browser") if e["level"] in ("SEVERE", "ERROR")]

    def requests(self) -> list[str]:
        """Addresses the page has asked for since the last call."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found


@pytest.fixture(scope="session")
def browser(chromium: tuple[str, str]) -> Iterator[Browser]:
    options = Options()
    options.binary_location = chromium[0]
    for flag in _FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromium[1]))
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def window(browser: Browser) -> Iterator[Browser]:
    """The browser at 1280 pixels; afterwards no page is left that would go on asking for a database that is dropped."""
    browser.resize(1280, 800)
    yield browser
    browser.driver.get("about:blank")
