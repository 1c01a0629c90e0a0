"""Processes: the programs that `manage.py up` runs on one machine."""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from django.conf import settings

from demo.supervisor import Program

LOOPBACK = "127.0.0.1"


def programs(*, port: int, smtp_port: int) -> list[Program]:
    """Web server, relay, worker and, unless it is switched off, the mail catcher."""
    catcher = Program(
        name="catcher",
        command=manage("catcher", f"--port={smtp_port}"),
        says=f"SMTP on {LOOPBACK}:{smtp_port}",
        outlives=True,
    )
    return [
        Program(name="web", command=web(port), answers=lambda: answers(port)),
        Program(name="relay", command=manage("relay"), says=" leads"),
        Program(name="worker", command=worker(port), says=" ready."),
        *([catcher] if settings.MAIL_CATCHER else []),
    ]


def environ(*, port: int, smtp_port: int) -> dict[str, str]:
    """Variables for the children that this process's environment does not set."""
    defaults = {
        "EMAIL_URL": f"smtp://{LOOPBACK}:{smtp_port}",
        "ALLOWED_HOSTS": f"{LOOPBACK},localhost",
        "PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "PYTHONUNBUFFERED": "1",
    }
    return {name: value for name, value in defaults.items() if name not in os.environ}


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def web(port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "moa.wsgi"),
        *(f"--bind={LOOPBACK}:{port}", "--worker-class=gthread", "--threads=8"),
        *("--graceful-timeout=5", "--no-control-socket", "--log-level=warning"),
    ]


def worker(port: int) -> list[str]:
    return [
        *(sys.executable, "-W", "ignore:You're running the worker with superuser privileges"),
        *("-m", "celery", "--quiet", "--app=moa", "worker"),
        *("--concurrency=2", "--loglevel=info", f"--hostname=moa-{port}@%h"),
    ]


def answers(port: int) -> bool:
    """Whether the web server reports that it is ready."""
    connection = HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
