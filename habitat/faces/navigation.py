"""The menu of the member pages: each floor registers its own windows, the page shows them in order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class NavItem:
    """`path` is the promise of interfaces.md. `badge` counts what waits there (0 shows nothing)."""

    path: str
    title: str
    order: int
    permission: str | None = None
    badge: Callable[[HttpRequest], int] | None = None
    badge_word: str = "waiting"


@dataclass(frozen=True, slots=True)
class ShownItem:
    path: str
    title: str
    current: str
    count: int
    count_word: str


_registered: dict[str, NavItem] = {}


def register(items: Iterable[NavItem]) -> None:
    """Called from `AppConfig.ready`; the same path again replaces the former item."""
    _registered.update({item.path: item for item in items})


def shown(request: HttpRequest) -> list[ShownItem]:
    """What this reader may open, the page they are on marked `page`, a page below it marked `true`."""
    if not request.user.is_authenticated:
        return []
    items = sorted(_registered.values(), key=lambda item: (item.order, item.path))
    allowed = [item for item in items if item.permission is None or request.user.has_perm(item.permission)]
    nearest = max(
        (item.path for item in allowed if request.path.startswith(item.path)),
        key=len,
        default="",
    )
    return [
        ShownItem(
            path=item.path,
            title=item.title,
            current="" if item.path != nearest else "page" if request.path == item.path else "true",
            count=item.badge(request) if item.badge else 0,
            count_word=item.badge_word,
        )
        for item in allowed
    ]
