"""The Celery app: what its workers do beside tasks."""

import gc

from celery.signals import worker_before_create_process


def test_a_new_process_shares_what_is_loaded_and_no_collection_copies_it():
    assert gc.get_freeze_count() == 0

    worker_before_create_process.send(sender=None)

    frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert frozen > 10_000
