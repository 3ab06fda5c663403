"""The benchmarks: a durable PostgreSQL cluster of their own, and everything else as it is served."""

from habitat.local.cluster import bench_cluster
from habitat.settings.base import *
from habitat.settings.base import DATABASE_ROLE, env
from habitat.settings.database import databases

SECRET_KEY = "bench-only-not-a-secret-0123456789abcdefghijklmnopqrstuvwxy"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]

_cluster = bench_cluster()
_database = env.str("HABITAT_BENCH_DATABASE", default="habitat")
DATABASES = databases(_cluster.url("app", _database), _cluster.url("owner", _database), DATABASE_ROLE)
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LOGGING = {"version": 1, "disable_existing_loggers": True, "root": {"level": "ERROR"}}
