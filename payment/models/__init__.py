from payment.models.payment import Payment
from payment.models.webhook_event import WebhookEvent

__all__ = ["Payment", "WebhookEvent"]
