"""Members' money is here: everything from the environment, nothing with a default that is unsafe."""

from django.core.exceptions import ImproperlyConfigured

from habitat.settings.base import *
from habitat.settings.base import (
    DATABASE_ROLE,
    MERCURY_API_BASE,
    SAGA_KILL_POINT,
    SITE_URL,
    STRIPE_API_BASE,
    STRIPE_SECRET_KEY,
    STRIPE_WEBHOOK_SECRETS,
    WEBHOOK_ALLOW_LOOPBACK,
    WEBHOOK_SIGNING_KEY,
    env,
)
from habitat.settings.database import databases

if SAGA_KILL_POINT:
    raise ImproperlyConfigured(
        "SAGA_KILL_POINT makes this process kill itself: it is for drills, never for production."
    )
# Whoever has paid at Stripe is sent back there, and every letter leads there.
if not SITE_URL.startswith("https://") or SITE_URL.endswith("/"):
    raise ImproperlyConfigured("SITE_URL must be the house's own address: https:// and no slash at its end.")
if STRIPE_API_BASE != "https://api.stripe.com":
    raise ImproperlyConfigured("STRIPE_API_BASE is not Stripe: a sandbox's money is nobody's.")
if not STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")):
    raise ImproperlyConfigured("STRIPE_SECRET_KEY must be a live key: a test key's payments are no money.")
if not STRIPE_WEBHOOK_SECRETS or not all(secret.startswith("whsec_") for secret in STRIPE_WEBHOOK_SECRETS):
    raise ImproperlyConfigured("STRIPE_WEBHOOK_SECRET is missing: nothing that Stripe tells could be believed.")

# A member's figures would go to whatever runs beside the house; a short key could be guessed from one signature.
if WEBHOOK_ALLOW_LOOPBACK:
    raise ImproperlyConfigured("WEBHOOK_ALLOW_LOOPBACK is for development: webhooks go to the public internet.")
if WEBHOOK_SIGNING_KEY and len(WEBHOOK_SIGNING_KEY) < 32:
    raise ImproperlyConfigured("WEBHOOK_SIGNING_KEY is too short: 32 random characters or more, or none at all.")

# Another address is a sandbox, or somebody who wants to see the token.
if MERCURY_API_BASE not in {"", "https://api.mercury.com"}:
    raise ImproperlyConfigured("MERCURY_API_BASE is not Mercury's own address, https://api.mercury.com.")

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
DATABASES = databases(
    env.str("DATABASE_URL"),
    env.str("DATABASE_OWNER_URL", default="") or env.str("DATABASE_URL"),
    DATABASE_ROLE,
)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=True)

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
