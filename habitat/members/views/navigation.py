"""This floor's place in the menu: the reader's own settings, last."""

from habitat.faces.navigation import NavItem

NAVIGATION = (NavItem("/settings/", "Settings", 90),)
