"""The suite: its own PostgreSQL cluster (see tests/conftest.py), e-mail in memory, cheap password hashes."""

from habitat.local.cluster import test_cluster
from habitat.settings.base import *  # noqa: F403
from habitat.settings.base import DATABASE_ROLE, env
from habitat.settings.database import databases

SECRET_KEY = "test-only-not-a-secret-0123456789abcdefghijklmnopqrstuvwxyz"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["*"]

_cluster = test_cluster()
DATABASES = databases(
    env.str("DATABASE_URL", default="") or _cluster.url("app"),
    env.str("DATABASE_OWNER_URL", default="") or _cluster.url("owner"),
    DATABASE_ROLE,
)
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", default=False)
