import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from mail import outbox
from mail.models import Batch, Delivery, Lane, Message, RelayLease, Transport
from tests.unit.mail.mails import RECEIPT, receipt


@pytest.mark.django_db
def test_i8_a_message_has_each_address_once():
    """I8: the database is the judge."""
    message = outbox.send(receipt("kim@example.com"), kind=RECEIPT)

    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(
            message=message,
            lane=message.lane,
            address="kim@example.com",
            expires_at=timezone.now(),
        )


@pytest.mark.django_db
def test_i7_a_key_names_one_message():
    """I7: the database is the judge."""
    message = outbox.send(receipt(), kind=RECEIPT, key="payment:42")
    message.pk, message.uuid = None, uuid.uuid4()

    with pytest.raises(IntegrityError), transaction.atomic():
        message.save(force_insert=True)


@pytest.mark.django_db
def test_a_message_with_deliveries_cannot_be_deleted():
    message = outbox.send(receipt(), kind=RECEIPT)

    with pytest.raises(ProtectedError):
        message.delete()


@pytest.mark.django_db
def test_each_lane_has_a_transport_and_the_relays_have_one_lease():
    lanes = Transport.objects.values_list("lane", flat=True)

    assert set(lanes) == set(Lane.values)
    assert RelayLease.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_fixed_rows_come_back_after_a_flush():
    assert Transport.objects.count() == len(Lane)
    assert RelayLease.objects.count() == 1


@pytest.mark.django_db
def test_a_message_knows_how_far_it_is():
    message = Message(queued=1, sent=2, failed=3, uncertain=4, cancelled=5)

    assert (message.recipients, message.settled) == (15, 10)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("flags", "stopped"),
    [({}, False), ({"paused_at": timezone.now()}, True), ({"cancelled_at": timezone.now()}, True)],
)
def test_a_paused_or_cancelled_message_is_stopped(flags: dict, stopped: bool):
    assert Message(**flags).is_stopped is stopped


@pytest.mark.django_db
def test_rows_written_by_sql_alone_are_queued_deliveries():
    """The pages of a broadcast are INSERT … SELECT: the defaults are the database's."""
    message = outbox.send(receipt(), kind=RECEIPT)
    expires_at = timezone.now() + timedelta(days=1)
    adapt = connection.ops.adapt_datetimefield_value

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mail_delivery (message_id, lane, address, expires_at)"
            " VALUES (%s, %s, %s, %s)",
            [message.pk, message.lane, "lee@example.com", adapt(expires_at)],
        )

    delivery = Delivery.objects.get(address="lee@example.com")
    assert (delivery.state, delivery.name, delivery.paused) == ("queued", "", False)
    assert (delivery.attempts, delivery.uncertainties, delivery.crashes) == (0, 0, 0)


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_relay_finds_what_is_due_by_an_index():
    Batch.objects.create(lane=Lane.BULK, size=1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM mail_delivery WHERE lane = 'bulk' AND state = 'queued'"
            " AND batch_id IS NULL AND NOT parked AND due_at <= now() ORDER BY due_at, id"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "mail_delivery_due" in plan
