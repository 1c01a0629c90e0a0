"""Access: which notices a user may see and steer in the mail app."""

from typing import TYPE_CHECKING

from django.db.models import Q

from mail.operations import access
from seller.models import Terms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser


@access.allow
def notices(user: "AbstractUser | AnonymousUser") -> Q:
    """The Messages that are notices of the terms of the user's sellers."""
    return Q(pk__in=Terms.objects.of(user).announced().values("message"))
