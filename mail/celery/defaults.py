"""The Celery settings that a mail worker needs, for all that the project leaves unset."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WORKER: dict[str, Any] = {
    "worker_consumer": "mail.celery.consumer:Consumer",
    # A slot holds one Batch; the others stay in the queue for the next free slot.
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    # A claimed Batch is finished without the broker: its results go to the database.
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # Tasks per connection; by default Celery's Django integration reconnects for each task.
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
    """The defaults for a broker. For `filesystem:///folder` a missing folder is created."""
    url = broker_url if isinstance(broker_url, str) else (broker_url or [""])[0]
    if url.startswith(FILES):
        return WORKER | AMQP | {"broker_transport_options": _in_folder(Path(urlsplit(url).path))}
    return WORKER | AMQP


def _in_folder(folder: Path) -> dict[str, Any]:
    """The embedded broker: kombu's transport that stores each task in a file."""
    queue, control = folder / "queue", folder / "control"
    for made in (queue, control):
        made.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(control),
        "polling_interval": 0.05,  # seconds
    }
