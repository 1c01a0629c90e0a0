"""The tables of `payment`: what was bought, and what providers told.

They import the models of `seller` and `mail`, and no service.
"""

from payment.models.payment import Payment
from payment.models.webhook_event import WebhookEvent

__all__ = ["Payment", "WebhookEvent"]
