"""Access: the notices of a seller's terms are the business of the seller's staff."""

from typing import TYPE_CHECKING

from django.db.models import Q

from mail.operations import access
from seller.models import Terms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser


@access.allow
def notices(user: "AbstractUser | AnonymousUser") -> Q:
    """The Messages that told of terms of the sellers that a user acts for."""
    return Q(pk__in=Terms.objects.of(user).announced().values("message"))
