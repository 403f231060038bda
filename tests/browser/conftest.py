"""A real browser, and a report on own evaluations and, where they are, on the leaderboard's real states."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, sync_playwright

from orchestration import report
from orchestration.home import MARTS_FILE, Home
from tests.support.opened import Opened
from tests.support.states import REAL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_CHROMIUM = "no chromium: on Debian `apt-get install chromium`"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest, homes: dict[str, Home], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Published, with its report: the rows of own evaluations and of the leaderboard's states in one file."""
    home = Home(tmp_path_factory.mktemp("reported home"))
    home.current.mkdir(parents=True)
    file = home.marts
    shutil.copyfile(homes["second"].published / MARTS_FILE, file)
    file.chmod(0o644)
    if REAL:
        study: Home = request.getfixturevalue("study_home")
        with duckdb.connect(file) as connection:
            connection.execute(f"attach '{study.warehouse}' as study (read_only)")
            marts = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
            for (mart,) in marts:
                connection.execute(f"insert into {mart} by name select * from study.marts.{mart}")
    report.write(file, home.report)
    return home


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Opens a file at a width and in a colour scheme. What console, scripts or network complain about fails."""
    contexts = []
    pages = []

    def open_page(file: Path, width: int = 1280, scheme: str = "light") -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        found = Opened(context.new_page())
        pages.append(found)
        found.page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:")) or found.complaints.append(request.url),
        )
        found.page.goto(file.as_uri())
        found.page.wait_for_selector("html[data-ready]")
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert not [complaint for page in pages for complaint in page.complaints]
