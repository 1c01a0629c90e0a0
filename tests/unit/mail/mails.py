"""What the tests of mail send: kinds, an audience, and small mails."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, QuerySet

from mail import audiences, kinds
from mail.kinds import Kind
from mail.models import Lane, OnUncertain

RECEIPT = kinds.declare(Kind(name="tests.receipt", lane=Lane.TRANSACTIONAL))
NOTICE = kinds.declare(
    Kind(
        name="tests.notice",
        lane=Lane.BULK,
        on_uncertain=OnUncertain.HOLD,
        give_up_after=timedelta(hours=72),
        keep_for=None,
    )
)


@audiences.declare("tests.users")
def users(*, moment: datetime, prefix: str = "") -> QuerySet[Any]:
    """Everybody who had an account at the moment of sending."""
    found = get_user_model().objects.filter(date_joined__lte=moment, username__startswith=prefix)
    return found.annotate(address=F("email"), name=F("first_name"))


def receipt(*to: str, **fields: Any) -> EmailMultiAlternatives:
    """A small mail; every field may be set."""
    return EmailMultiAlternatives(
        **{
            "subject": "영수증",
            "body": "결제해 주셔서 고맙습니다.\n",
            "from_email": "모아 구독 <no-reply@moa.example>",
            "to": list(to) or ["kim@example.com"],
            **fields,
        }
    )


def notice(**fields: Any) -> EmailMultiAlternatives:
    """A small mail without recipients, for broadcasts."""
    return receipt(
        **{"subject": "약관 변경 안내", "body": "약관이 바뀝니다.\n", "to": [], **fields}
    )
