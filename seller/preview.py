"""Preview: the notice that publishing would send, and to how many subscribers."""

from dataclasses import dataclass

from django.core.mail import EmailMultiAlternatives

from mail.content.placeholders import for_people
from seller import mails
from seller.models import Terms


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A notice, its placeholders shown as {name} and {address}; None if there is none."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None
    recipients: int = 0


def preview(terms: Terms) -> Preview:
    """The notice of a draft as it would be sent now, or of a published version as recorded."""
    if message := terms.message:
        return Preview(
            subject=message.subject,
            text=message.text,
            html=message.html,
            recipients=message.recipients,
        )
    if terms.is_published or terms.previous is None:
        return Preview()
    return _of_draft(terms, mails.terms_changed(terms))


def _of_draft(terms: Terms, mail: EmailMultiAlternatives) -> Preview:
    return Preview(
        subject=for_people(str(mail.subject)),
        text=for_people(str(mail.body)),
        html=for_people(str(mail.alternatives[0][0])),
        recipients=terms.product.subscriptions.active().count(),
    )
