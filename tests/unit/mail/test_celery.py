"""The effect of `configure` on a Celery app, and what it relies on in Celery."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.fixups.django import DjangoWorkerFixup
from celery.signals import worker_before_create_process, worker_init
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import Queue

from mail import tasks
from mail.celery import configure, defaults, is_configured
from mail.celery.consumer import RECONNECT, Consumer

CHATTER = ("gossip:Gossip", "mingle:Mingle", "heart:Heart")
LANES = ["mail.transactional", "mail.bulk"]


def app_of_a_project(**settings: object) -> Celery:
    """A project's app, whose settings are Django's under CELERY_*, wired for mail."""
    chosen = {f"CELERY_{name}": value for name, value in settings.items()}
    app = Celery("shop", set_as_current=False)
    app.config_from_object(type("Settings", (), chosen), namespace="CELERY")
    configure(app)
    return app


def test_a_fresh_app_has_its_own_queue_and_those_of_the_lanes():
    app = app_of_a_project()

    assert [queue.name for queue in app.conf.task_queues] == ["celery", *LANES]
    assert is_configured(app)


def test_an_app_without_the_call_is_not_configured():
    assert not is_configured(Celery("shop", set_as_current=False))


def test_the_queues_of_a_project_stay():
    app = app_of_a_project(TASK_QUEUES=[Queue("reports")])

    assert [queue.name for queue in app.conf.task_queues] == ["reports", *LANES]


def test_a_project_of_mail_alone_has_no_other_queue():
    app = app_of_a_project(TASK_DEFAULT_QUEUE="mail.transactional")

    assert [queue.name for queue in app.conf.task_queues] == LANES


def test_what_the_project_left_open_is_set_as_mail_needs_it():
    conf = app_of_a_project(BROKER_URL="amqp://broker.example//").conf

    wanted = defaults.WORKER | defaults.AMQP
    assert {name: conf[name] for name in wanted} == wanted


def test_what_the_project_chose_stays():
    conf = app_of_a_project(WORKER_PREFETCH_MULTIPLIER=4, BROKER_HEARTBEAT=60).conf

    assert (conf.worker_prefetch_multiplier, conf.broker_heartbeat) == (4, 60)


def test_a_broker_of_files_gets_its_folders(tmp_path: Path):
    app = app_of_a_project(BROKER_URL=f"filesystem://{tmp_path}/broker")

    with app.connection_for_write() as connection:
        channel = connection.default_channel
        assert Path(channel.data_folder_in) == Path(channel.data_folder_out)
        assert Path(channel.data_folder_in).is_dir()
        assert Path(channel.control_folder) == tmp_path / "broker" / "control"


@pytest.mark.parametrize("task", [tasks.deliver_batch, tasks.expand_broadcast])
def test_a_task_is_acknowledged_late_and_returned_when_its_process_dies(task):
    assert task.acks_late
    assert task.reject_on_worker_lost
    assert task.serializer == "json"


def test_a_batch_leaves_no_result():
    assert tasks.deliver_batch.ignore_result


def test_the_tasks_keep_their_names():
    """Relays and workers of two releases run side by side."""
    assert (tasks.deliver_batch.name, tasks.expand_broadcast.name) == (
        "mail.deliver_batch",
        "mail.expand_broadcast",
    )


def test_celery_s_django_integration_keeps_connections():
    assert DjangoWorkerFixup(app_of_a_project()).db_reuse_max == 10_000


def test_the_consumer_has_every_step_of_celery_but_delayed_delivery():
    """If this fails, Celery has changed its steps: find out what the new one is for."""
    dropped = set(CeleryConsumer.Blueprint.default_steps) - set(Consumer.Blueprint.default_steps)

    assert [str(step) for step in dropped] == [
        "celery.worker.consumer.delayed_delivery:DelayedDelivery"
    ]


@pytest.fixture
def consumer() -> Consumer:
    """A consumer as a worker makes it, not yet started."""
    worker = SimpleNamespace(use_eventloop=False)
    return Consumer(lambda *_: None, app=app_of_a_project(), controller=worker)


def test_workers_do_not_talk_to_each_other(consumer: Consumer):
    """If this fails, Celery has renamed its steps or what turns them off."""
    steps = {str(step) for step in CeleryConsumer.Blueprint.default_steps}
    assert {f"celery.worker.consumer.{name}" for name in CHATTER} <= steps

    started = {step.alias for step in consumer.steps}

    assert "Connection" in started
    assert not started & {"Gossip", "Mingle", "Heart"}


def test_a_connection_is_tried_again_every_few_seconds(consumer: Consumer):
    tried = []

    class Connection:
        def ensure_connection(self, errback, max_retries, callback=None, **timing):
            tried.append(timing)
            return self

    consumer.ensure_connected(Connection())

    assert tried == [RECONNECT]


def test_a_worker_with_settings_of_no_use_does_not_start(settings):
    settings.MAIL_WINDOW = 0

    with pytest.raises(SystemExit, match="MAIL_WINDOW=0 is below its minimum"):
        worker_init.send(sender=None)


def test_a_worker_ends_with_the_sentence_alone(tmp_path: Path):
    environ = {"DEBUG": "true", "MOA_VAR": str(tmp_path), "MAIL_REDIRECT_TO": "staging"}
    worker = [sys.executable, "-m", "celery", "-A", "moa", "worker", "--pool", "solo"]

    ended = subprocess.run(worker, env=os.environ | environ, capture_output=True, text=True)

    assert ended.returncode != 0
    assert "mail.E006" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_new_process_shares_what_is_loaded_and_no_collection_copies_it():
    assert gc.get_freeze_count() == 0

    worker_before_create_process.send(sender=None)

    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert frozen > 10_000
