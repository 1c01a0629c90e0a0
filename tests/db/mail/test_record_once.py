"""A keyed Message is recorded once; the transaction around it goes on."""

import copy
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from mail import outbox
from mail.models import Message
from tests.unit.mail.mails import RECEIPT, receipt

pytestmark = pytest.mark.django_db


def like(message: Message, **fields: object) -> Message:
    """A new Message, not inserted yet, that differs in some fields."""
    other = copy.copy(message)
    other._state = copy.copy(message._state)
    other._state.adding = True
    for name, value in ({"pk": None, "uuid": uuid.uuid4()} | fields).items():
        setattr(other, name, value)
    return other


def test_a_row_that_is_inserted_has_its_key_and_what_the_database_filled_in():
    message = outbox.send(receipt(), kind=RECEIPT, key="payment:42")

    assert (message.pk, message._state.adding) == (Message.objects.get().pk, False)
    assert message.created_at == Message.objects.get().created_at
    assert message.created_at <= timezone.now()


def test_a_row_that_is_there_is_left_alone_and_the_transaction_continues():
    first = outbox.send(receipt(), kind=RECEIPT, key="payment:42")
    again = like(first, subject="other")

    with transaction.atomic():
        inserted = Message.objects.insert_once(again)
        outbox.send(receipt(), kind=RECEIPT, key="payment:43")

    assert not inserted
    assert again.pk is None
    assert Message.objects.get(key="payment:42").subject == first.subject
    assert Message.objects.filter(key="payment:43").exists()


def test_what_is_wrong_with_a_row_is_no_repetition():
    first = outbox.send(receipt(), kind=RECEIPT, key="payment:42")

    with pytest.raises(IntegrityError), transaction.atomic():
        outbox._record(like(first, key="payment:43", subject=None), lambda: None)


@pytest.mark.postgresql
def test_contents_are_compressed_by_lz4_where_postgresql_has_it():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        )
        has_lz4 = cursor.fetchone() == (True,)
        cursor.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = 'mail_message'::regclass AND attcompression = 'l'"
        )
        compressed = {name for (name,) in cursor.fetchall()}

    assert compressed == ({"mime", "text", "html"} if has_lz4 else set())
