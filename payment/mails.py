"""The mails of payments: pure functions, a payment in, a mail out."""

import re
from datetime import timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone

from mail.kinds import YEAR, Kind, declare
from mail.models import Lane, OnUncertain
from payment.models import Payment
from seller.calendar import SEOUL
from seller.models import Seller

RECEIPT = declare(
    Kind(
        name="payment.receipt",
        lane=Lane.TRANSACTIONAL,
        on_uncertain=OnUncertain.RESEND,
        give_up_after=timedelta(hours=24),
        keep_for=5 * YEAR,  # records of payment and supply, E-commerce Act decree art. 6
    )
)

INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def receipt(payment: Payment) -> EmailMultiAlternatives:
    """The receipt of a payment, to its buyer: that it was paid, for what, and what follows.

    The electronic document of the E-commerce Act art. 8(3). It promotes nothing, so it needs
    neither the advertising label nor anybody's consent to marketing.

    Raises ValueError for a payment that was never approved.
    """
    context = _facts(payment)
    email = EmailMultiAlternatives(
        subject=_one_line(_render("subject.txt", context)),
        body=_render("body.txt", context).strip() + "\n",
        from_email=_sender(payment.product.seller),
        to=[payment.buyer_address],
        reply_to=[payment.product.seller.email],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834 §5
    )
    email.attach_alternative(INLINER.inline(_render("body.html", context)), "text/html")
    return email


def _facts(payment: Payment) -> dict[str, Any]:
    """What the templates show. The period begins on the day of payment, in Korea."""
    if payment.approved_at is None:
        raise ValueError("a receipt is for a paid payment")
    approved_at = timezone.localtime(payment.approved_at, SEOUL)
    next_on = approved_at.date() + timedelta(days=payment.product.period_days)
    return {
        "payment": payment,
        "product": payment.product,
        "seller": payment.product.seller,
        "approved_at": f"{approved_at:%Y-%m-%d %H:%M:%S} (KST)",
        "period": f"{approved_at:%Y-%m-%d} ~ {next_on - timedelta(days=1):%Y-%m-%d}",
        "next_on": f"{next_on:%Y-%m-%d}",
        "amount": _won(payment.amount),
        "supply_amount": _won(payment.supply_amount),
        "vat_amount": _won(payment.vat_amount),
    }


def _render(template: str, context: dict[str, Any]) -> str:
    return render_to_string(f"payment/mail/receipt/{template}", context)


def _won(amount: int) -> str:
    return f"₩{amount:,}"


def _sender(seller: Seller) -> str:
    """The seller's name on the operator's address, which is what SPF, DKIM and DMARC vouch for."""
    operator = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return str(Address(display_name=_one_line(seller.name), addr_spec=operator))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
