"""The test settings as a server: static files straight from where they are written."""

from habitat.settings.test import *  # noqa: F403

WHITENOISE_USE_FINDERS = True
