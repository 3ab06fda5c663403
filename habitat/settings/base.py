"""Settings every environment shares; each value that differs between machines comes from the environment."""

from pathlib import Path

from environs import Env

from habitat.settings import look

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent.parent

SECRET_KEY: str
DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "habitat.site",
    "cloud_credits",
    "treasury",
    "habitat.notifications",
    "habitat.workflows",
    "habitat.events",
    "habitat.controls",
    "habitat.members",
    "habitat.faces",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_fsm",
    "django_filters",
    "django_htmx",
    "django_q",
    "djstripe",
    "djmoney",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "pgtrigger",
    "pghistory",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Outside of all that a request costs the house, sign-in included; it asks who it was when the answer is made.
    "habitat.site.views.self_metering.SelfMeteringMiddleware",
    "habitat.faces.csp.FaceCSPMiddleware",
    "habitat.faces.addresses.ZeroCharacterMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "habitat.members.views.middleware.HistoryContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "habitat.members.views.middleware.StaffMFAMiddleware",
]

ROOT_URLCONF = "habitat.urls"
WSGI_APPLICATION = "habitat.wsgi.application"
ASGI_APPLICATION = "habitat.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["habitat.faces.templatetags.faces"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Two roles: the owner migrates, the application serves. manage.py picks the owner for schema commands.
DATABASE_ROLE = env.str("HABITAT_DATABASE_ROLE", default="app")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "members.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/cloud/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "habitat.members.views.adapters.MembersAccountAdapter"
ACCOUNT_PREVENT_ENUMERATION = True
# A new address replaces the old one only after it was confirmed; whoever changes a sign-in proves who they are again.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Habitat"
# A code typed as its half minute ends still counts in the next one, and no longer (RFC 6238 §5.2).
MFA_TOTP_TOLERANCE = 1
USERSESSIONS_TRACK_ACTIVITY = True
STAFF_MFA_REQUIRED = True

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Habitat <habitat@localhost>")

UNFOLD = look.UNFOLD

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "habitat.controls.api.authentication.ServiceKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["habitat.faces.parsers.ExactJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "habitat.faces.problems.problem_handler",
    "DEFAULT_PAGINATION_CLASS": "habitat.faces.pagination.CursorPages",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Habitat",
    "DESCRIPTION": "CLOUD credits, metering and books of a member-owned cooperative. Money and quantities are strings.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "HealthEnum": ["ok", "degraded", "failing", "unknown"],
        "SubmissionStateEnum": ["queued", "done"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Truth is in our own tables; the queue only wakes. See docs/design/events.md.
Q_CLUSTER = {
    "name": "habitat",
    "orm": "default",
    "workers": env.int("WORKERS", default=2),
    "queue_limit": env.int("WORKERS", default=2),
    "bulk": 1,
    "timeout": 60,
    "retry": 180,
    "ack_failures": True,
    "max_attempts": 1,
    "catch_up": False,
    "poll": 1,
    "save_limit": 100,
    "label": "Task queue",
}
# The house meters its own requests and reports them to itself like any service (docs/design/metering.md).
SELF_METERING_FLUSH_SECONDS = env.int("SELF_METERING_FLUSH_SECONDS", default=10)
SELF_METERING_URL = env.str("SELF_METERING_URL", default=SITE_URL)
SELF_METERING_KEY = env.str("SELF_METERING_KEY", default="")
SELF_METERING_KEY_FILE = env.str("SELF_METERING_KEY_FILE", default=str(BASE_DIR / ".local" / "self-metering.key"))
# The bank, read with a read-only token. Without both, nothing is read.
MERCURY_API_BASE = env.str("MERCURY_API_BASE", default="")
MERCURY_API_TOKEN = env.str("MERCURY_API_TOKEN", default="")
# Drills only: "saga/step/direction/point" at which this process kills itself (docs/design/money-in.md).
SAGA_KILL_POINT = env.str("SAGA_KILL_POINT", default="")
EVENT_BUS_URL = env.str("EVENT_BUS_URL", default="")
# Each endpoint's signing secret is derived from this key; without it no webhook is set up or sent.
WEBHOOK_SIGNING_KEY = env.str("WEBHOOK_SIGNING_KEY", default="")
# Webhooks to this very machine, over http too: for development and tests.
WEBHOOK_ALLOW_LOOPBACK = env.bool("WEBHOOK_ALLOW_LOOPBACK", default=False)
# `timer`: committed events wake the workers, at most twice a second a process. `none`: only `tick` does.
EVENT_WAKE = env.str("EVENT_WAKE", default="timer")

# Stripe. Without a key nothing is asked of it. Several webhook secrets, with commas, while one replaces another.
# dj-stripe only mirrors what we retrieved (docs/decisions/007-dj-stripe.md): no URL of its own, no receiver at work.
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
# Where Stripe's payment page lies: the one place beside the house that a form may lead to.
STRIPE_CHECKOUT_ORIGIN = env.str("STRIPE_CHECKOUT_ORIGIN", default="") or (
    "https://checkout.stripe.com" if STRIPE_API_BASE == "https://api.stripe.com" else STRIPE_API_BASE.rstrip("/")
)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRETS = [
    secret
    for name in ("STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRETS")
    for secret in env.list(name, default=[])
    if secret
]

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "habitat.faces.error_pages.stale_form"
SESSION_COOKIE_HTTPONLY = True

IMPORT_EXPORT_USE_TRANSACTIONS = True
# A cell that begins like a formula would run in the reader's spreadsheet.
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
# A character that XML cannot carry would make the whole workbook impossible, for ever.
IMPORT_EXPORT_ESCAPE_ILLEGAL_CHARS_ON_EXPORT = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"refusal_in_one_line": {"()": "habitat.faces.logs.RefusalInOneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Django's own handlers would say everything twice.
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # Each request of ours to a provider, whole address included: more than anybody reads.
        "httpx": {"level": "WARNING"},
        "django.request": {"filters": ["refusal_in_one_line"]},
    },
}
