"""What a page must never do: complain on the console, break, miss a file, shut somebody out, or scroll sideways."""

from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Response

AXE = Path(__file__).resolve().parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = {"serious", "critical"}


class Watched:
    """Collects what goes wrong on a page; statuses of forms refused on purpose are not among it."""

    def __init__(self, page: Page) -> None:
        self.wrong: list[str] = []
        self.page = page
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._note(f"script broke: {error}"))
        page.on("response", self._response)

    def _note(self, what: str) -> None:
        self.wrong.append(f"{self.page.url}: {what}")

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium also reports each answer of 400 and above; those are judged by _response.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self._note(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        is_page = response.request.is_navigation_request()
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self._note(f"{response.url} answered {response.status}")


def shut_out(page: Page) -> list[str]:
    """axe's serious and critical findings, each with where it is."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{one['id']}: {' | '.join(_where(node) for node in one['nodes'][:3])}"
        for one in found
        if one["impact"] in GRAVE
    ]


def _where(node: dict[str, Any]) -> str:
    return " ".join(map(str, node["target"])) + " " + node["html"][:90]


def width_needed(page: Page) -> int:
    return int(page.evaluate("() => document.scrollingElement.scrollWidth"))
