"""The mails of payments: pure functions, a payment in, a mail out."""

from datetime import timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from mail.content.compose import compose
from mail.kinds import YEAR, Kind, declare
from mail.models import Lane, OnUncertain
from payment.models import Payment
from seller.calendar import SEOUL
from seller.money import won

RECEIPT = declare(
    Kind(
        name="payment.receipt",
        lane=Lane.TRANSACTIONAL,
        on_uncertain=OnUncertain.RESEND,
        give_up_after=timedelta(hours=24),
        keep_for=5 * YEAR,  # records of payment and supply, E-commerce Act decree art. 6
    )
)


def receipt(payment: Payment) -> EmailMultiAlternatives:
    """The receipt for the buyer of a payment: what was paid, for what, and what comes next.

    It is the electronic document of the E-commerce Act art. 8(3). It contains no promotion, so it
    needs neither the advertising label nor consent to marketing.

    Raises ValueError for a payment that was never approved.
    """
    seller = payment.product.seller
    return compose(
        "payment/mail/receipt",
        _facts(payment),
        to=[payment.buyer_address],
        sender_name=seller.name,
        reply_to=[seller.email],
    )


def _facts(payment: Payment) -> dict[str, Any]:
    """The context of the templates. The period begins on the day of payment in Korea."""
    if payment.approved_at is None:
        raise ValueError("only a paid payment has a receipt")
    approved_at = timezone.localtime(payment.approved_at, SEOUL)
    next_on = approved_at.date() + timedelta(days=payment.product.period_days)
    return {
        "payment": payment,
        "product": payment.product,
        "seller": payment.product.seller,
        "approved_at": f"{approved_at:%Y-%m-%d %H:%M:%S} (KST)",
        "period": f"{approved_at:%Y-%m-%d} ~ {next_on - timedelta(days=1):%Y-%m-%d}",
        "next_on": f"{next_on:%Y-%m-%d}",
        "amount": won(payment.amount),
        "supply_amount": won(payment.supply_amount),
        "vat_amount": won(payment.vat_amount),
    }
