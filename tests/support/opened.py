"""A page in the browser, and what is asked of it more than once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page


@dataclass
class Opened:
    """A page, and what it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def all_drawn(self) -> None:
        """Scroll until every chart was drawn."""
        for place in self.page.locator(".chart").all():
            place.scroll_into_view_if_needed()
            self.page.wait_for_function(
                "place => place.dataset.drawn || place.querySelector('.nothing')", arg=place.element_handle()
            )

    def ask(self, module: str, question: str, *arguments: Any) -> Any:
        """What a function of a module of the page's script, and of the arguments, gives."""
        return self.page.evaluate(f"async (given) => ({question})(await import('{module}'), ...given)", list(arguments))

    def rows(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("rows.js", "({ rows }, query) => rows(query)", query)
        return found

    def drawn(self, chart: str, dataset: str) -> list[dict[str, Any]]:
        """What a chart draws of one of its datasets."""
        question = "({ CHARTS }, chart, dataset) => CHARTS.get(chart).view.data(dataset)"
        found: list[dict[str, Any]] = self.ask("charts.js", question, chart, dataset)
        return found
