"""Django settings, read from the environment; an invalid or missing value stops the start.

With DEBUG=true everything has an embedded default: SQLite, a folder as the broker, and the local
mail catcher. Without it, everything that production needs must be set.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django

import mail.conf
from mail.conf.smtp_server import SmtpServer
from mail.conf.transports import from_urls
from moa import databases, environment, logs
from moa.environment import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(env.str("MOA_VAR", default=str(BASE_DIR / "var")))

DEBUG: bool = env.bool("DEBUG", default=False)


def from_environment(name: str, purpose: str, embedded: str) -> str:
    return env.str(name, default=embedded) if DEBUG else environment.required(name, purpose)


SECRET_KEY = from_environment("SECRET_KEY", "50 random characters that sign sessions", "embedded")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = from_environment(
    "ALLOWED_HOSTS", "the host names the shop serves, separated by commas", "*"
).split(",")
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Applications: the project's own first, by layer. An app imports only apps below it.
MAIL_CATCHER: bool = env.bool("MAIL_CATCHER", default=DEBUG)
INSTALLED_APPS = [
    *(["demo"] if find_spec("demo") else []),
    *(["demo.catcher"] if MAIL_CATCHER else []),
    "moa",
    "payment",
    "seller",
    "mail",
    "django_celery_results",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    *(
        ["django.middleware.csp.ContentSecurityPolicyMiddleware"]
        if django.VERSION >= (6, 0)
        else []
    ),
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "moa.urls"
WSGI_APPLICATION = "moa.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Language, time, files
LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Seoul"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))

# Database
DATABASE_URL = env.db_url_config(
    from_environment(
        "DATABASE_URL",
        "postgres://user:password@host:5432/name",
        f"sqlite:///{VAR / 'moa.sqlite3'}",
    )
)
DATABASE_POOL = int(environment.number("DATABASE_POOL", 0, minimum=0))
DATABASES = {"default": databases.configured(DATABASE_URL, pool=DATABASE_POOL)}

# Celery distributes Batch ids. The database decides what is due and records the outcome.
BROKER_URLS = environment.broker_urls(
    from_environment(
        "BROKER_URL", "amqp://user:password@host:5672/vhost", f"filesystem://{VAR / 'broker'}"
    )
)
CELERY_BROKER_URL = ";".join(BROKER_URLS)
CELERY_TASK_DEFAULT_QUEUE = "mail.transactional"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_RESULT_BACKEND = "django-db"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE

# Mail: everything about mail is under this heading.
OUTBOX, DIRECT = "mail.backends.OutboxBackend", "django.core.mail.backends.smtp.EmailBackend"
EMAIL_URL = from_environment(
    "EMAIL_URL", "smtp://host:port, smtp+tls://user:password@host:587", "smtp://127.0.0.1:1025"
)
MAIL_TRANSPORTS = from_urls(
    url=EMAIL_URL,
    bulk_url=env.str("EMAIL_URL_BULK", default=""),
    backend=env.str("MAIL_BACKEND", default=""),
)
DEFAULT_FROM_EMAIL = from_environment(
    "DEFAULT_FROM_EMAIL", "the sender's address of mails", "모아 구독 <no-reply@moa.example>"
)
SERVER_EMAIL: str = env.str("SERVER_EMAIL", default=DEFAULT_FROM_EMAIL)
MAIL_CONTENT_LIMIT: int
vars().update(mail.conf.from_environ(os.environ))

# Django's own mail goes through the outbox, except for the logging system's error mails: their row
# would roll back with the request that they report, so they are sent directly.
admins: list[str] = env.list("ADMINS", default=[])
server = SmtpServer.parse(EMAIL_URL, name="EMAIL_URL")
if django.VERSION >= (6, 1):
    options = server.options() | {"timeout": 10, "fail_silently": True}  # as before 6.1
    direct: dict[str, Any] = {"BACKEND": DIRECT, "OPTIONS": options}
    MAILERS = {"default": {"BACKEND": OUTBOX}, "direct": direct}
    ADMINS: list[Any] = admins
    handler = {"using": "direct"}
else:
    EMAIL_BACKEND = OUTBOX
    EMAIL_HOST, EMAIL_PORT = server.host, server.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = server.user, server.password
    EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = server.starttls, server.implicit_tls, 10
    ADMINS = [("", address) for address in admins]
    handler = {"email_backend": DIRECT}
LOGGING = logs.configuration(env.str("LOG_LEVEL", default="INFO"), direct=handler)

# HTTP API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "moa.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["moa.strict_json.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "moa.api.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "moa.api.problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Moa",
    "DESCRIPTION": "A subscription shop that never loses a mail.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "moa.schema.document_problems",
    ],
}
PUBLIC_URL: str = env.str("PUBLIC_URL", default="")
PAYMENT_SANDBOX: bool = env.bool("PAYMENT_SANDBOX", default=DEBUG)
PAYMENT_WEBHOOK_SECRETS: list[str] = env.list("PAYMENT_WEBHOOK_SECRETS", default=[])

# Security, where it differs from Django's defaults. A proxy in front terminates TLS.
SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS: int = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
SECURE_CSP = {"object-src": ["'none'"], "base-uri": ["'self'"], "frame-ancestors": ["'self'"]}
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
