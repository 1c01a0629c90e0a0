"""What the API answers to the errors of the services: a status and a stable code."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

from payment.gateways import Declined, GatewayUnavailable, InvalidSignature
from payment.services import AmountMismatch, NotPayable, OrderConflict
from seller.services import NotOnSale

ANSWERS: dict[type[ValueError], tuple[int, str]] = {
    Declined: (409, "declined"),
    GatewayUnavailable: (503, "gateway_unavailable"),
    InvalidSignature: (400, "invalid_signature"),
    NotOnSale: (409, "not_on_sale"),
    NotPayable: (409, "not_payable"),
    OrderConflict: (409, "order_conflict"),
}


@contextmanager
def as_answers() -> Iterator[None]:
    """Raise the services' errors as DRF's; a wrong amount is one of the field `amount`."""
    try:
        yield
    except AmountMismatch as error:
        raise ValidationError(
            {"amount": [ErrorDetail(str(error), code="amount_mismatch")]}
        ) from error
    except tuple(ANSWERS) as error:
        status, code = ANSWERS[type(error)]
        answer = APIException(str(error), code=code)
        answer.status_code = status
        raise answer from error
