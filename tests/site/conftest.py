"""Fixtures of the roof's tests."""

from tests.site.world import standing, world  # noqa: F401 the house among the providers' sandboxes
