"""The secret that the sandbox signs its events with."""

import pytest
from pytest_django import Settings

from payment.gateways import sandbox


@pytest.fixture(autouse=True)
def webhook_secret(settings: Settings) -> str:
    settings.PAYMENT_WEBHOOK_SECRETS = [sandbox.DEVELOPMENT_SECRET]
    return sandbox.DEVELOPMENT_SECRET
