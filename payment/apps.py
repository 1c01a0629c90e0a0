"""The payment app: payments, the webhook inbox, receipts."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentConfig(AppConfig):
    name = "payment"
    verbose_name = _("payment")

    def ready(self) -> None:
        from payment import checks  # noqa: F401  registers them
