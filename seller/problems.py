"""What the API answers to the errors of sellers."""

from mail.problems import declare
from seller.publishing import (
    AlreadyPublished,
    BroadcastUnfinished,
    NoticeTooShort,
    OutOfOrder,
    PublishRefused,
    ReasonMissing,
)
from seller.services import NotOnSale

declare(AlreadyPublished, status=409, code="already_published")
declare(BroadcastUnfinished, status=409, code="broadcast_unfinished")
declare(NoticeTooShort, status=400, code="notice_too_short", field="effective_on")
declare(NotOnSale, status=409, code="not_on_sale")
declare(OutOfOrder, status=409, code="out_of_order")
declare(PublishRefused, status=409, code="publish_refused")
declare(ReasonMissing, status=400, code="reason_missing", field="reason")
