"""The same server, following the clock that a test moves."""

from tests.e2e.settings import *  # noqa: F403
from tests.e2e.settings import MIDDLEWARE

MIDDLEWARE = ["tests.e2e.following.FollowingMiddleware", *MIDDLEWARE]
