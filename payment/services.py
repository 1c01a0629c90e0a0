"""The steps of a payment; the API and webhooks share them."""

import logging
import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone

from mail import outbox
from mail.content.addresses import normalise
from payment import gateways, mails
from payment.gateways import Approval, Declined, Event, Gateway
from payment.models import Payment
from payment.vat import supply_value
from seller.calendar import today
from seller.models import Product
from seller.services import NotOnSale, subscribe

log = logging.getLogger(__name__)

PAID_FIELDS = ("state", "payment_key", "method", "approved_at", "subscription", "receipt")


class OrderConflict(ValueError):
    """The order number belongs to another order."""


class AmountMismatch(ValueError):
    """The amount, currency or order is not that of the payment."""


class NotPayable(ValueError):
    """The payment can no longer be paid, or its payment key paid for another."""


def open_payment(
    *,
    product: Product,
    buyer_address: str,
    buyer_name: str,
    amount: int,
    order_number: str | None = None,
) -> tuple[Payment, bool]:
    """Open a payment, or return the one that was opened with this order number and this data.

    Returns the payment and whether it is new. Without an order number, one is generated. `amount`
    is in won and must be the price of the product. Raises OrderConflict, AmountMismatch, NotOnSale,
    InvalidAddress, and ValidationError for an invalid order number or name.
    """
    order_number = order_number or f"{today():%Y%m%d}-{secrets.token_hex(8)}"
    facts = {
        "product_id": product.pk,
        "buyer_address": normalise(buyer_address),
        "buyer_name": buyer_name,
        "amount": amount,
    }
    payment, is_new = Payment.objects.filter(order_number=order_number).first(), False
    if payment is None:
        _check_offer(product, amount)
        supply_amount = supply_value(amount)
        rest = {
            "provider": gateways.DEFAULT.name,
            "supply_amount": supply_amount,
            "vat_amount": amount - supply_amount,
        }
        Payment(order_number=order_number, **facts, **rest).clean_fields(exclude={"product"})
        payment, is_new = Payment.objects.get_or_create(
            order_number=order_number, defaults=facts | rest
        )
    if any(getattr(payment, name) != value for name, value in facts.items()):
        raise OrderConflict("the order number belongs to another order")
    return payment, is_new


def confirm_payment(
    *, payment: Payment, payment_key: str, amount: int, gateway: Gateway
) -> Payment:
    """Have the provider capture the money, and complete the payment. Idempotent.

    No transaction is open while the provider is called. Raises AmountMismatch before that call,
    NotPayable, Declined (the payment is then failed) and GatewayUnavailable (it may be retried).
    """
    if amount != payment.amount:
        raise AmountMismatch("the amount is not that of the payment")
    if payment.state == Payment.State.PAID and payment.payment_key == payment_key:
        return payment
    if payment.state == Payment.State.FAILED:
        raise Declined(payment.failure_code, payment.failure_reason)
    if payment.state != Payment.State.READY:
        raise NotPayable(f"the payment is already {payment.state}")
    try:
        approval = gateway.confirm(
            payment_key=payment_key, order_number=payment.order_number, amount=amount
        )
    except Declined as decline:
        _fail(payment, decline)
        raise
    try:
        return complete_payment(payment_id=payment.pk, approval=approval)
    except (AmountMismatch, NotPayable):
        log.error("payment %s: the provider captured money that must be refunded", payment.pk)
        raise


def complete_payment(*, payment_id: int, approval: Approval) -> Payment:
    """Mark a payment paid, start the subscription and record the receipt, in one transaction.

    A payment already paid with this payment key is returned unchanged, even if cancelled since.
    Raises AmountMismatch, NotPayable and Payment.DoesNotExist.
    """
    try:
        with transaction.atomic():
            payment = Payment.objects.locked().get(pk=payment_id)
            return _complete(payment, approval)
    except IntegrityError:
        others = Payment.objects.exclude(pk=payment_id)
        if others.filter(payment_key=approval.payment_key).exists():
            raise NotPayable("the payment key was used for another order") from None
        raise


def cancel_payment(*, payment_id: int, approval: Approval) -> Payment:
    """Cancel a paid payment, because the provider refunded it. Idempotent.

    Raises AmountMismatch, also for a partial refund, and NotPayable if it was never paid.
    """
    with transaction.atomic():
        payment = Payment.objects.locked().get(pk=payment_id)
        _check_approval(payment, approval)
        if payment.payment_key != approval.payment_key:
            raise NotPayable("the payment was never paid with this payment key")
        if payment.state == Payment.State.PAID:
            payment.state = Payment.State.CANCELLED
            payment.cancelled_at = timezone.now()
            payment.save(update_fields=["state", "cancelled_at"])
        return payment


def _check_offer(product: Product, amount: int) -> None:
    if amount != product.price:
        raise AmountMismatch("the amount is not the price of the product")
    if not product.is_active or not product.terms.in_force().exists():
        raise NotOnSale(f"product {product.pk} is not on sale")


def _fail(payment: Payment, decline: Declined) -> None:
    """Record the decline, unless the payment has left `ready` meanwhile."""
    Payment.objects.filter(pk=payment.pk, state=Payment.State.READY).update(
        state=Payment.State.FAILED,
        failure_code=decline.code[:100],
        failure_reason=decline.text[:500],
        failed_at=timezone.now(),
    )


def _complete(payment: Payment, approval: Approval) -> Payment:
    _check_approval(payment, approval)
    if payment.payment_key == approval.payment_key:
        return payment
    if payment.state != Payment.State.READY:
        raise NotPayable(f"the payment is already {payment.state}")
    if payment.events.filter(type=Event.CANCELLED).exists():
        raise NotPayable("the provider cancelled the payment before it was completed")
    payment.state = Payment.State.PAID
    payment.payment_key = approval.payment_key
    payment.method = approval.method
    payment.approved_at = approval.approved_at
    payment.subscription = subscribe(
        product=payment.product, address=payment.buyer_address, name=payment.buyer_name
    )
    payment.receipt = outbox.send(
        mails.receipt(payment),
        kind=mails.RECEIPT,
        key=f"payment:{payment.pk}:receipt",
        params={"payment": payment.pk},
    )
    payment.save(update_fields=PAID_FIELDS)
    log.info("payment %s is paid; its receipt is message %s", payment.pk, payment.receipt.pk)
    return payment


def _check_approval(payment: Payment, approval: Approval) -> None:
    approved = (approval.order_number, approval.amount, approval.currency)
    if approved != (payment.order_number, payment.amount, payment.currency):
        raise AmountMismatch("the provider approved another order, amount or currency")
