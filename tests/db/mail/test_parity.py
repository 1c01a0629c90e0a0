"""What the outbox stores is what Django's own SMTP backend would have sent.

The way through relay, worker and SMTP server is compared in tests/integration.
"""

from collections.abc import Iterator

import pytest
from django.core.mail.backends.base import BaseEmailBackend

from mail import outbox
from tests.harness import mailers
from tests.harness.smtp import SmtpServer
from tests.unit.mail.corpus import CORPUS, OLDER_PARTS
from tests.unit.mail.mails import RECEIPT
from tests.unit.mail.parity import DIFFERS, likeness


@pytest.fixture
def django_backend(smtp: SmtpServer) -> Iterator[BaseEmailBackend]:
    """Django's own backend, pointed at the scripted server."""
    with mailers.make(mailers.SMTP, host="127.0.0.1", port=smtp.port) as backend:
        yield backend


def test_the_corpus_is_large_enough():
    assert len(CORPUS) >= 25


@OLDER_PARTS
@pytest.mark.django_db
@pytest.mark.parametrize("name", CORPUS)
def test_the_stored_mail_equals_the_mail_that_djangos_backend_sends(
    name: str, smtp: SmtpServer, django_backend: BaseEmailBackend
):
    django_backend.send_messages([CORPUS[name]()])

    message = outbox.send(CORPUS[name](), kind=RECEIPT)

    given = {header.lower() for header in CORPUS[name]().extra_headers}
    ignore = DIFFERS - given
    sent = smtp.taken[0]
    assert likeness(sent_over_smtp(bytes(message.mime)), ignore=ignore) == likeness(
        sent.raw, ignore=ignore
    )
    assert sorted(message.deliveries.values_list("address", flat=True)) == sorted(
        smtp.recipients()
    )
    assert message.envelope_from == sent.sender


def sent_over_smtp(mime: bytes) -> bytes:
    """SMTP ends every mail with a line break."""
    return mime if mime.endswith(b"\r\n") else mime + b"\r\n"
