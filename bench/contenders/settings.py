"""The peers' Django settings: as in production, and only what the running peer needs."""

import os

import environ

SECRET_KEY = "only for the peers of the benchmark"  # noqa: S105
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", *filter(None, [os.environ.get("APP")])]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
DATABASES = {"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])}
DATABASES["default"]["CONN_MAX_AGE"] = 60

SMTP = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["SMTP_PORT"])
EMAIL_BACKEND = {
    "djcelery_email": "djcelery_email.backends.CeleryEmailBackend",
    "mailer": "mailer.backend.DbBackend",
}.get(os.environ.get("APP", ""), SMTP)

CELERY_BROKER_URL = os.environ["BROKER_URL"]
CELERY_TASK_IGNORE_RESULT = True

# django-celery-email
CELERY_EMAIL_BACKEND = SMTP
CELERY_EMAIL_CHUNK_SIZE = 100  # 10 unless set; cost a third more CPU here
CELERY_EMAIL_TASK_CONFIG = {"ignore_result": True}

# django-mailer
MAILER_EMAIL_BACKEND = SMTP
MAILER_EMAIL_MAX_BATCH = None

# django-post-office
POST_OFFICE = {
    "BACKENDS": {"default": SMTP},
    "BATCH_SIZE": 1000,
    "LOG_LEVEL": 0,
    "CELERY_ENABLED": False,
}
