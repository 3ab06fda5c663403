"""Which database, as which role: from the environment, or the machine's own embedded PostgreSQL."""

from typing import Any

import dj_database_url

CONNECTION_AGE_SECONDS = 600


def databases(app_url: str, owner_url: str, role: str) -> dict[str, Any]:
    """Django's DATABASES for one role. `role` is `app` (serves) or `owner` (migrates)."""
    chosen = {"app": app_url, "owner": owner_url}[role]
    config = dict(dj_database_url.parse(chosen, conn_max_age=CONNECTION_AGE_SECONDS, conn_health_checks=True))
    if role == "owner":
        # A migration waits for locks for three seconds, then gives way to the people using the house.
        config.setdefault("OPTIONS", {})["options"] = "-c lock_timeout=3s"
    return {"default": config}
