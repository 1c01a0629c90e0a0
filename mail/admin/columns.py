"""Columns: what the admin shows of Messages and Deliveries beyond their plain fields."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mail.models import Delivery, Message
from mail.operations import preview
from mail.operations.progress import progress

NOTHING = "–"


class MessageColumns:
    """Columns of Messages."""

    @admin.display(description=gettext_lazy("subject"))
    def title(self, message: Message) -> str:
        return str(message)

    @admin.display(description=gettext_lazy("progress"))
    def bar(self, message: Message) -> SafeString:
        return progress_bar(message)

    @admin.display(description=gettext_lazy("not sent"))
    def trouble(self, message: Message) -> SafeString | str:
        """The states that need attention, each with its count."""
        return _states(message, (Delivery.State.FAILED, Delivery.State.UNCERTAIN)) or NOTHING

    @admin.display(description=gettext_lazy("by state"))
    def by_state(self, message: Message) -> SafeString | str:
        return _states(message, Delivery.State) or NOTHING

    @admin.display(description=gettext_lazy("state"))
    def state(self, message: Message) -> str:
        if message.cancelled_at:
            return _("cancelled")
        if message.paused_at:
            return _("paused")
        return _("settled") if progress(message) == 1 else _("in progress")

    @admin.display(description=gettext_lazy("text"))
    def text_body(self, message: Message) -> SafeString | str:
        if hidden := _hidden(message):
            return hidden
        return format_html('<pre class="mail-text">{}</pre>', message.text)

    @admin.display(description="HTML")
    def html_body(self, message: Message) -> SafeString | str:
        """The HTML in a sandboxed frame that runs and loads nothing."""
        if hidden := _hidden(message):
            return hidden
        if not message.html:
            return NOTHING
        return format_html(
            '<iframe sandbox class="mail-html" title="{}" src="{}"></iframe>',
            message.subject,
            reverse("admin:mail_message_html", args=[message.pk]),
        )

    @admin.display(description=gettext_lazy("source"))
    def downloads(self, message: Message) -> SafeString | str:
        if hidden := _hidden(message):
            return hidden
        source = _link("admin:mail_message_source", message.pk, _("download .eml"))
        if not message.personal:
            return source
        label = _("stored bytes (hashed below)")
        return format_html(
            "{} · {}", source, _link("admin:mail_message_stored", message.pk, label)
        )

    @admin.display(description=gettext_lazy("give up after"))
    def patience(self, message: Message) -> str:
        return _duration(message.give_up_after)

    @admin.display(description=gettext_lazy("content kept for"))
    def retention(self, message: Message) -> str:
        if message.keep_for is None:
            return _("indefinitely")
        return _duration(message.keep_for) if message.keep_for else _("until it is sent")


class DeliveryColumns:
    """Columns of Deliveries."""

    @admin.display(description=gettext_lazy("message"))
    def message_link(self, delivery: Delivery) -> SafeString:
        return link_to_message(delivery.message)

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, delivery: Delivery) -> str:
        batch = delivery.batch if delivery.state == Delivery.State.QUEUED else None
        if batch and batch.claimed_at and not batch.closed_at:
            return _("sending")
        return str(delivery.get_state_display())

    @admin.display(description=gettext_lazy("source"))
    def mail(self, delivery: Delivery) -> SafeString | str:
        """The mail exactly as this recipient gets it."""
        if hidden := _hidden(delivery.message):
            return hidden
        return _link("admin:mail_delivery_source", delivery.pk, _("download .eml"))

    @admin.display(description="Message-ID")
    def header_id(self, delivery: Delivery) -> str:
        return delivery.message_id_header

    @admin.display(description=gettext_lazy("reply"))
    def last_reply(self, delivery: Delivery) -> str:
        """The server's last reply, shortened."""
        reply = f"{delivery.code} {delivery.enhanced} {delivery.reply}".split()
        return Truncator(" ".join(reply)).chars(80) or NOTHING

    @admin.display(description=gettext_lazy("settled or due"))
    def when(self, delivery: Delivery) -> datetime | None:
        return delivery.settled_at or delivery.due_at


def progress_bar(message: Message) -> SafeString:
    """The settled share, as a bar and in figures."""
    share = progress(message)
    return format_html(
        '<progress value="{}" max="1" title="{}"></progress> <small>{} / {}</small>',
        f"{share:.4f}",
        f"{share:.2%}",
        f"{message.settled:,}",
        f"{message.recipients:,}",
    )


def link_to_message(message: Message) -> SafeString:
    """The number and subject of a Message, linked to its page."""
    return link_to_message_page(message.pk, f"#{message.pk} {message}")


def link_to_message_page(pk: int, label: str) -> SafeString:
    """A label, linked to the page of the Message with this primary key."""
    return _link("admin:mail_message_change", pk, label)


def _duration(time: timedelta) -> str:
    if time < timedelta(days=4):
        hours = round(time / timedelta(hours=1))
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    return ngettext("%(count)d day", "%(count)d days", time.days) % {"count": time.days}


def _hidden(message: Message) -> str:
    if message.erased_at:
        return _("erased")
    return _("only for its recipient; erased once sent") if preview.is_secret(message) else ""


def _states(message: Message, states: Iterable[Delivery.State]) -> SafeString:
    """Each state that has Deliveries, linked to them."""
    deliveries = reverse("admin:mail_delivery_changelist")
    return format_html_join(
        " · ",
        '<a href="{}?message={}&amp;state={}">{} {}</a>',
        (
            (deliveries, message.pk, state.value, state.label, f"{count:,}")
            for state in states
            if (count := getattr(message, state.value))
        ),
    )


def _link(view: str, pk: Any, label: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(view, args=[pk]), label)
