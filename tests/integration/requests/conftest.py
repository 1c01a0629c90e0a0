"""A shop to send requests to; the one of the payment tests."""

from tests.db.payment.conftest import (  # noqa: F401
    api,
    other_product,
    product,
    ready,
    staff,
    stranger,
    webhook_secret,
)
