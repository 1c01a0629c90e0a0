"""Access: which Messages a person may see and steer.

The mail app does not know sellers or payments. Each app says, as a Q over Messages, which ones
are the business of a user; staff with the permission of the mail app see all.
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
    """Register a rule: given a user, a Q that selects the Messages that are this user's."""
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
    """Whether a user may pause, resume, cancel and resend the Messages that are visible to it.

    Whoever sees all by `mail.view_message` needs `mail.change_message` too, so that an auditor
    changes nothing. Everybody else sees a Message through an access rule, as its seller's staff,
    and may steer it: it is their announcement.
    """
    may: bool = user.has_perm("mail.change_message") or not user.has_perm("mail.view_message")
    return may
