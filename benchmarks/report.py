"""The cost of the report: writing it on the leaderboard's real states, and opening it in a browser.

Long tasks keep a page from responding; the target is none above 200 ms once the page is parsed. Needs chromium and an
idle machine, because other programs affect the figures.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.leaderboard import seconds
from benchmarks.subject import scratch, table
from benchmarks.tasks import DATA

TIMES = 5

_WATCH = """
window.longTasks = [];
new PerformanceObserver(list => longTasks.push(...list.getEntries().map(entry => [entry.startTime, entry.duration])))
    .observe({ type: 'longtask', buffered: true });
"""


def main() -> None:
    """Print a table: size, seconds to write, and the longest tasks while opening it and scrolling through it."""
    real = sorted((DATA / "leaderboard").glob("*.parquet"))
    chromium = shutil.which("chromium")
    if not real or chromium is None:
        print(f"\nSkipping the report's benchmark, which needs chromium and leaderboard states in {DATA}")
        return
    with scratch() as folder:
        home = Path(folder, "home")
        seconds(home, "import-leaderboard", *real)
        seconds(home, "build")
        written, _ = seconds(home, "report")
        page = home / "report" / "index.html"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            opened = [_open(browser.new_page(viewport={"width": 1400, "height": 900}), page) for _ in range(TIMES)]
            browser.close()
        size = page.stat().st_size
    print("\n### The report\n")
    ready, parsing, loading, scrolling = (statistics.median(column) for column in zip(*opened, strict=True))
    rows = [
        ("page", f"{size / 1e6:.2f} MB"),
        ("written in", f"{written:.1f} s"),
        ("ready after", f"{ready:.0f} ms"),
        ("longest task while it is parsed", f"{parsing:.0f} ms"),
        ("longest task from then until it is ready", f"{loading:.0f} ms"),
        ("longest task while every chart is drawn", f"{scrolling:.0f} ms"),
    ]
    print(table([("", f"median of {TIMES}"), *rows]))


def _open(page: Page, path: Path) -> tuple[float, float, float, float]:
    """Milliseconds: until the page is ready, and the longest tasks in parsing, starting, and scrolling through it."""
    page.add_init_script(_WATCH)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    ready = page.evaluate("performance.now()")
    time.sleep(1)  # let pending work end
    parsed = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    started = page.evaluate("longTasks.splice(0)")
    for place in page.locator(".chart").all():
        place.scroll_into_view_if_needed()
        page.wait_for_function("place => place.dataset.drawn || place.firstChild", arg=place.element_handle())
    time.sleep(1)
    drawn = page.evaluate("longTasks")
    page.close()

    def longest(tasks: list[list[float]]) -> float:
        return max((duration for _, duration in tasks), default=0.0)

    return (
        ready,
        longest([task for task in started if task[0] < parsed]),
        longest([task for task in started if task[0] >= parsed]),
        longest(drawn),
    )
