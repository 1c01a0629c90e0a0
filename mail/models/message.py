"""Message: one piece of content, written once, with a kind."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Self

from django.db import IntegrityError, models, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Lane(models.TextChoices):
    """Each lane has its own queue and may have its own SMTP server."""

    TRANSACTIONAL = "transactional", _("transactional")
    BULK = "bulk", _("bulk")

    @property
    def queue(self) -> str:
        return f"mail.{self.value}"


class OnUncertain(models.TextChoices):
    """What happens if nobody can know whether the SMTP server accepted a mail."""

    RESEND = "resend", _("send once more")
    HOLD = "hold", _("hold for a person")


CONTENT = ("mime", "text", "html")
"""The large columns of a Message."""


def stopped(prefix: str = "") -> models.Q:
    """Whether a Message is paused or cancelled; `prefix` leads to it, such as `message__`."""
    paused, cancelled = f"{prefix}paused_at__isnull", f"{prefix}cancelled_at__isnull"
    return models.Q((paused, False)) | models.Q((cancelled, False))


class MessageQuerySet(models.QuerySet["Message"]):
    def stopped(self) -> Self:
        """The Messages that are paused or cancelled."""
        return self.filter(stopped())

    def with_flags_pending(self) -> Self:
        """The Messages whose Deliveries do not agree yet with a pause, resume or cancel."""
        return self.filter(flags_pending=True)

    def insert_once(self, message: Message) -> bool:
        """Insert a new Message unless its key is taken; return whether it was inserted.

        The unique key decides a race: the loser waits for the winner's transaction.
        """
        if message.key is None:
            message.save(force_insert=True)
            return True
        try:
            with transaction.atomic(using=self.db):
                message.save(force_insert=True, using=self.db)
        except IntegrityError:
            if not self.filter(key=message.key).exists():
                raise
            return False
        return True

    def deferring_content(self) -> Self:
        """The Messages without their large columns, which are read on access."""
        return self.defer(*CONTENT)


class Message(models.Model):
    """The content that its Deliveries send, with the policy of its kind."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=100)
    key = models.CharField(_("key"), max_length=200, null=True)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64)

    # The policy of the kind, copied so that a worker needs no code of the app that declared it.
    lane = models.CharField(_("lane"), max_length=15, choices=Lane)
    on_uncertain = models.CharField(_("when uncertain"), max_length=10, choices=OnUncertain)
    give_up_after = models.DurationField(_("give up after"))
    keep_for = models.DurationField(_("content kept for"), null=True)

    # The content: the bytes that leave, and what people read.
    mime = models.BinaryField(_("source"))
    sha256 = models.CharField("SHA-256", max_length=64)
    personal = models.BooleanField(_("filled per recipient"), default=False)
    message_id = models.CharField("Message-ID", max_length=255, blank=True)
    message_id_domain = models.CharField(max_length=255, blank=True)
    envelope_from = models.CharField(_("envelope sender"), max_length=254)
    sender = models.CharField(_("from"), max_length=500)
    subject = models.TextField(_("subject"))
    text = models.TextField(_("text"), blank=True)
    html = models.TextField("HTML", blank=True)

    # Deliveries by state; changed in the transactions that change the rows.
    queued = models.PositiveIntegerField(_("queued"), default=0)
    sent = models.PositiveIntegerField(_("sent"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    uncertain = models.PositiveIntegerField(_("uncertain"), default=0)
    cancelled = models.PositiveIntegerField(_("cancelled"), default=0)
    duplicates = models.PositiveIntegerField(
        _("repeated addresses"), default=0, db_column="folded"
    )

    created_at = models.DateTimeField(_("recorded at"), db_default=Now())
    paused_at = models.DateTimeField(_("paused at"), null=True)
    pause_reason = models.TextField(_("paused because"), blank=True, default="", db_default="")
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    flags_pending = models.BooleanField(
        default=False,
        db_column="turning",
        help_text=_("Rows do not agree yet with a pause, resume or cancel."),
    )
    erase_at = models.DateTimeField(_("content kept until"), null=True)
    erased_at = models.DateTimeField(_("content erased at"), null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(name="mail_message_key", fields=["key"])]
        indexes = [
            models.Index(name="mail_message_kind", fields=["kind", "id"]),
            models.Index(
                name="mail_message_bulk", fields=["id"], condition=models.Q(lane=Lane.BULK.value)
            ),
            models.Index(
                name="mail_message_stopped",
                fields=["id"],
                condition=stopped(),
            ),
            models.Index(
                name="mail_message_turning", fields=["id"], condition=models.Q(flags_pending=True)
            ),
            models.Index(
                name="mail_message_kept",
                fields=["erase_at"],
                condition=models.Q(erase_at__isnull=False, erased_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.subject or f"{self.kind} {self.pk}"

    def message_id_for(self, delivery_id: int) -> str:
        """The Message-ID that one Delivery carries in every attempt (RFC 5322 §3.6.4)."""
        if self.message_id:
            return self.message_id
        before, after = self.message_id_around
        return f"{before}{delivery_id}{after}"

    @cached_property
    def message_id_around(self) -> tuple[str, str]:
        """What precedes and follows a Delivery's id in the Message-IDs of a broadcast."""
        return f"<{self.uuid}.", f"@{self.message_id_domain}>"

    @property
    def recipients(self) -> int:
        """How many Deliveries there are, in any state."""
        return self.queued + self.sent + self.failed + self.uncertain + self.cancelled

    @property
    def settled(self) -> int:
        """How many Deliveries are settled."""
        return self.recipients - self.queued - self.uncertain

    @property
    def is_stopped(self) -> bool:
        return self.paused_at is not None or self.cancelled_at is not None
