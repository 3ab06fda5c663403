"""A person's own machine: embedded PostgreSQL, e-mail as files, no second factor asked of staff."""

import os
from pathlib import Path

from habitat.local import sandboxes
from habitat.local.cluster import development_cluster

# Before the settings read it: commands in another terminal find the sandboxes that `make run` started.
sandboxes.listen_for_word(Path(__file__).resolve().parent.parent.parent / ".local" / "sandbox", os.environ)

from habitat.settings.base import *  # noqa: E402
from habitat.settings.base import BASE_DIR, DATABASE_ROLE, LOGGING, env  # noqa: E402
from habitat.settings.database import databases  # noqa: E402

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="development-only-not-a-secret-0123456789abcdefghijklmnop")

if env.str("DATABASE_URL", default=""):
    DATABASES = databases(
        env.str("DATABASE_URL"), env.str("DATABASE_OWNER_URL", default=env.str("DATABASE_URL")), DATABASE_ROLE
    )
else:
    _cluster = development_cluster()
    DATABASES = databases(_cluster.url("app"), _cluster.url("owner"), DATABASE_ROLE)

# Each mail is a file to read; on the console they would bury the address and the logins.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / ".local" / "mail"
LOGGING = {**LOGGING, "loggers": {**LOGGING["loggers"], "django-q": {"level": "WARNING"}}}
# Static files come from where they lie, without a collecting step, also with DEBUG off.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", default=False)
WEBHOOK_SIGNING_KEY = env.str("WEBHOOK_SIGNING_KEY", default="development-only-not-a-secret-webhooks")
WEBHOOK_ALLOW_LOOPBACK = env.bool("WEBHOOK_ALLOW_LOOPBACK", default=True)
DEMO_ALLOWED = True
