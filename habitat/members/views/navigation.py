"""This floor's place in the menu."""

from habitat.faces.navigation import NavItem

NAVIGATION = (NavItem("/settings/", "Settings", 90),)
