"""Access: which Messages a person may see and steer.

The mail app knows nothing of sellers or payments. Each app contributes a Q that selects the
Messages a user may see; staff with the permission `mail.view_message` see all of them.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import Q

from mail.models import Delivery, Message
from mail.models.delivery import DeliveryQuerySet
from mail.models.message import MessageQuerySet

Rule = Callable[[Any], Q]

_rules: list[Rule] = []


def allow(rule: Rule) -> Rule:
    """Register a rule: given a user, a Q that selects the Messages they may see."""
    _rules.append(rule)
    return rule


def visible_to(user: Any) -> MessageQuerySet:
    """The Messages that a user may see; all of them with the permission `mail.view_message`."""
    if user.has_perm("mail.view_message"):
        return Message.objects.all()
    allowed = Q(pk__in=[])
    for rule in _rules:
        allowed |= rule(user)
    return Message.objects.filter(allowed)


def deliveries_visible_to(user: Any) -> DeliveryQuerySet:
    """The Deliveries of the Messages that a user may see."""
    if user.has_perm("mail.view_message"):
        return Delivery.objects.all()
    return Delivery.objects.filter(message__in=visible_to(user))


def may_steer(user: Any) -> bool:
    """Whether a user may pause, resume, cancel and resend the Messages they may see.

    Users who see everything by `mail.view_message` also need `mail.change_message`, so that an
    auditor changes nothing. All others see a Message through an access rule, for example as its
    seller's staff, and may steer it: it is their announcement.
    """
    may: bool = user.has_perm("mail.change_message") or not user.has_perm("mail.view_message")
    return may
