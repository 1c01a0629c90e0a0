"""Celery's settings as a mail worker needs them, wherever the project has not chosen its own."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WORKER: dict[str, Any] = {
    "worker_consumer": "mail.celery.consumer:Consumer",
    # A slot holds one Batch; the others stay at the broker, for whoever is free first.
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    # A Batch in hand outlives the broker: its results go to the database.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Tasks; without it Celery's Django integration connects anew for each.
    "CELERY_DB_REUSE_MAX": 10_000,
}
AMQP: dict[str, Any] = {
    "broker_heartbeat": 10,  # seconds
    "broker_connection_timeout": 4,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # never give up
    "broker_channel_error_retry": True,
    "broker_transport_options": {
        "confirm_publish": True,
        "read_timeout": 10,
        "write_timeout": 10,
        "max_retries": 2,
    },
}
FILES = "filesystem://"


def of(broker_url: str | list[str] | None) -> dict[str, Any]:
    """The defaults for a broker. For `filesystem:///folder` the folder is made if it is missing."""
    url = broker_url if isinstance(broker_url, str) else (broker_url or [""])[0]
    if url.startswith(FILES):
        return WORKER | AMQP | {"broker_transport_options": _in_folder(Path(urlsplit(url).path))}
    return WORKER | AMQP


def _in_folder(folder: Path) -> dict[str, Any]:
    """The embedded broker: kombu's transport that keeps each task as a file."""
    queue, control = folder / "queue", folder / "control"
    for made in (queue, control):
        made.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(control),
        "polling_interval": 0.05,  # seconds
    }
