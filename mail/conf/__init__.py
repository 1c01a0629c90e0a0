"""The settings of `mail`: what each MAIL_* name means, its default and its bounds.

The code of `mail` reads them with `from mail.conf import settings`. A value in
`django.conf.settings` wins, `override_settings` included. This package imports nothing else of
`mail`, so that a project's settings module may import it.
"""

from collections.abc import Mapping
from typing import Any

from mail.conf.readers import at_least, rate, seconds, text, whole
from mail.conf.setting import Setting
from mail.conf.transports import Transports


class MailSettings:
    """The settings and their values. Reading an invalid one raises ImproperlyConfigured."""

    MAIL_TRANSPORTS = Transports()
    """How each lane's mail leaves. Unset: through the SMTP server of Django's own settings."""
    MAIL_RATE = Setting(rate, "")
    """The rate limit of each lane, such as `14/s,50000/d`. Empty: no limit."""
    MAIL_REDIRECT_TO = Setting(text, "")
    """On a staging system, the address that every mail goes to."""
    MAIL_LEASE = Setting(seconds(minimum=2), 8)
    """How long a claim lasts unless it is renewed."""
    MAIL_UNCERTAIN_WAIT = Setting(seconds(minimum=0), 900)
    """How long an uncertain mail waits before it is sent once more."""
    MAIL_BATCH_LIMIT = Setting(whole(minimum=1), 1000)
    """The largest number of mails in a Batch."""
    MAIL_WINDOW = Setting(whole(minimum=1), 32)
    """The largest number of a lane's Batches that wait for a worker."""
    MAIL_REPUBLISH_AFTER = Setting(seconds(minimum=1), 60)
    """How long a published Batch stays unclaimed before it is published again."""
    MAIL_RELAY_INTERVAL = Setting(at_least(0.01), 0.1)
    """Seconds between two rounds of the relay when it is not busy."""
    MAIL_CONTENT_LIMIT = Setting(whole(minimum=1000), 10_000_000)
    """The largest size of a mail, in octets."""


settings = MailSettings()


def declared() -> dict[str, Setting[Any]]:
    """Every setting by its name."""
    return {name: one for name, one in vars(MailSettings).items() if isinstance(one, Setting)}


def from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings from an environment, or their defaults, for use in a settings module.

    An empty variable counts as unset. MAIL_TRANSPORTS is included only if the environment has it.
    Raises ImproperlyConfigured for an invalid value.
    """
    return {
        name: setting.read(environ[name], name) if environ.get(name) else setting.default
        for name, setting in declared().items()
        if environ.get(name) or setting.default is not None
    }
