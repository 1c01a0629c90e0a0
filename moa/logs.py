"""Logs: lines on standard error, and error mails to ADMINS.

Error mails go out directly: a row in the outbox would roll back with the request they report.
"""

from typing import Any


def configuration(level: str, *, direct: dict[str, str]) -> dict[str, Any]:
    """The value of LOGGING, for lines of `level` and above.

    `direct` is the argument of Django's AdminEmailHandler for a mailer that bypasses the outbox.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line"},
            "mail_admins": {
                "class": "django.utils.log.AdminEmailHandler",
                "level": "ERROR",
                **direct,
            },
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {"django.request": {"handlers": ["mail_admins"]}},
    }
