"""What the API answers to the errors of payments."""

from mail.problems import declare
from payment.gateways import Declined, GatewayUnavailable, InvalidSignature
from payment.services import AmountMismatch, NotPayable, OrderConflict

declare(AmountMismatch, status=400, code="amount_mismatch", field="amount")
declare(Declined, status=409, code="declined")
declare(GatewayUnavailable, status=503, code="gateway_unavailable")
declare(InvalidSignature, status=400, code="invalid_signature")
declare(NotPayable, status=409, code="not_payable")
declare(OrderConflict, status=409, code="order_conflict")
