"""What happens to a payment. However the provider's word arrives, it goes through here."""

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
    """Amount, currency or order are not those of the payment."""


class NotPayable(ValueError):
    """The payment is past paying, or the payment key paid for another."""


def open_payment(
    *,
    product: Product,
    buyer_address: str,
    buyer_name: str,
    amount: int,
    order_number: str | None = None,
) -> tuple[Payment, bool]:
    """Open a payment, or find the one that this order number and these facts opened before.

    Returns the payment and whether it is new; a number is made up if none is given. Raises
    OrderConflict, AmountMismatch (the product costs something else), NotOnSale, InvalidAddress, and
    ValidationError for an order number or a name that cannot be kept.
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
    """Have the provider take the money and complete the payment; once more changes nothing.

    The provider is asked while no transaction is open. Raises AmountMismatch before it is asked,
    NotPayable, Declined (the payment has failed then) and GatewayUnavailable (it may be retried).
    """
    if amount != payment.amount:
        raise AmountMismatch("the amount is not that of the payment")
    if payment.state == Payment.State.PAID and payment.payment_key == payment_key:
        return payment
    if payment.state == Payment.State.FAILED:
        raise Declined(payment.failure_code, payment.failure_reason)
    if payment.state != Payment.State.READY:
        raise NotPayable(f"the payment is {payment.state} already")
    try:
        approval = gateway.confirm(
            payment_key=payment_key, order_number=payment.order_number, amount=amount
        )
    except Declined as refusal:
        _fail(payment, refusal)
        raise
    try:
        return complete_payment(payment_id=payment.pk, approval=approval)
    except (AmountMismatch, NotPayable):
        log.error("payment %s: the provider took money that is to be given back", payment.pk)
        raise


def complete_payment(*, payment_id: int, approval: Approval) -> Payment:
    """Mark a payment paid, start the subscription and record the receipt: all of it or nothing.

    A payment that this payment key paid before, cancelled since or not, is returned unchanged.
    Raises AmountMismatch, NotPayable and Payment.DoesNotExist.
    """
    try:
        with transaction.atomic():
            payment = Payment.objects.locked().get(pk=payment_id)
            return _complete(payment, approval)
    except IntegrityError:
        others = Payment.objects.exclude(pk=payment_id)
        if others.filter(payment_key=approval.payment_key).exists():
            raise NotPayable("the payment key paid for another order") from None
        raise


def cancel_payment(*, payment_id: int, approval: Approval) -> Payment:
    """Move a paid payment to cancelled, because the provider gave the money back.

    Once more changes nothing. Raises AmountMismatch, as for a part of the amount, and NotPayable.
    """
    with transaction.atomic():
        payment = Payment.objects.locked().get(pk=payment_id)
        _check_approval(payment, approval)
        if payment.payment_key != approval.payment_key:
            raise NotPayable("cancelled without having been paid")
        if payment.state == Payment.State.PAID:
            payment.state = Payment.State.CANCELLED
            payment.cancelled_at = timezone.now()
            payment.save(update_fields=["state", "cancelled_at"])
        return payment


def _check_offer(product: Product, amount: int) -> None:
    if amount != product.price:
        raise AmountMismatch("the product costs another amount")
    if not product.is_active or not product.terms.in_force().exists():
        raise NotOnSale(f"product {product.pk} is not on sale")


def _fail(payment: Payment, refusal: Declined) -> None:
    """Note the refusal, unless the payment has moved on meanwhile."""
    Payment.objects.filter(pk=payment.pk, state=Payment.State.READY).update(
        state=Payment.State.FAILED,
        failure_code=refusal.code[:100],
        failure_reason=refusal.text[:500],
        failed_at=timezone.now(),
    )


def _complete(payment: Payment, approval: Approval) -> Payment:
    _check_approval(payment, approval)
    if payment.payment_key == approval.payment_key:
        return payment
    if payment.state != Payment.State.READY:
        raise NotPayable(f"the payment is {payment.state} already")
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
    log.info("payment %s paid, receipt is message %s", payment.pk, payment.receipt.pk)
    return payment


def _check_approval(payment: Payment, approval: Approval) -> None:
    told = (approval.order_number, approval.amount, approval.currency)
    if told != (payment.order_number, payment.amount, payment.currency):
        raise AmountMismatch("the provider approved another order, amount or currency")
