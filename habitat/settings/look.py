"""How the back office looks: its name, its mark, its colours; the menu is built in `habitat.faces.back_office`."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

GREEN = {
    "50": "oklch(97.6% 0.016 170)",
    "100": "oklch(94.2% 0.036 170)",
    "200": "oklch(88.6% 0.068 170)",
    "300": "oklch(81.2% 0.092 169)",
    "400": "oklch(71.4% 0.104 168)",
    "500": "oklch(57.6% 0.1 167)",
    "600": "oklch(46.6% 0.086 167)",
    "700": "oklch(40.4% 0.074 168)",
    "800": "oklch(34.2% 0.06 168)",
    "900": "oklch(28.6% 0.048 169)",
    "950": "oklch(21.4% 0.036 170)",
}
STONE = {
    "50": "oklch(97.8% 0.004 165)",
    "100": "oklch(95.6% 0.006 165)",
    "200": "oklch(91.4% 0.009 165)",
    "300": "oklch(86% 0.012 165)",
    "400": "oklch(70% 0.018 165)",
    "500": "oklch(54% 0.02 165)",
    "600": "oklch(44.4% 0.02 165)",
    "700": "oklch(36.6% 0.018 165)",
    "800": "oklch(27.4% 0.015 165)",
    "900": "oklch(21.4% 0.012 165)",
    "950": "oklch(15.4% 0.01 165)",
}


def _words(request: HttpRequest) -> str:
    return static("faces/words.css")


def _mark(request: HttpRequest) -> str:
    return static("faces/mark.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Habitat back office",
    "SITE_HEADER": "Habitat",
    "SITE_SUBHEADER": "Back office",
    "SITE_URL": "/cloud/",
    "SITE_ICON": _mark,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _mark}],
    "STYLES": [_words],
    "BORDER_RADIUS": "8px",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "COLORS": {"primary": GREEN, "base": STONE},
    "DASHBOARD_CALLBACK": "habitat.site.views.home.dashboard",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "habitat.faces.back_office.navigation",
    },
}
