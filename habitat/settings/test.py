"""The suite: its own PostgreSQL cluster (see tests/conftest.py), e-mail in memory, cheap password hashes."""

from habitat.local.cluster import test_cluster
from habitat.settings.base import *
from habitat.settings.base import DATABASE_ROLE, env
from habitat.settings.database import databases

SECRET_KEY = "test-only-not-a-secret-0123456789abcdefghijklmnopqrstuvwxyz"
DEBUG = False
ALLOWED_HOSTS = ["*"]

# Always a database of the test cluster: a DATABASE_URL lying in the environment may be a cooperative's own books.
# The name is the clone the suite works on, handed down to the processes a test starts.
_cluster = test_cluster()
_database = env.str("HABITAT_TEST_DATABASE", default="habitat")
DATABASES = databases(_cluster.url("app", _database), _cluster.url("owner", _database), DATABASE_ROLE)
EVENT_WAKE = env.str("EVENT_WAKE", default="none")
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WEBHOOK_SIGNING_KEY = "test-only-not-a-secret-webhooks-0123456789"
WEBHOOK_ALLOW_LOOPBACK = True
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", default=False)
DEMO_ALLOWED = True
# No thread of its own in tests: they flush when they want to.
SELF_METERING_FLUSH_SECONDS = env.int("SELF_METERING_FLUSH_SECONDS", default=0)
