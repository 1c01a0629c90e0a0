"""The settings of `mail`: what each MAIL_* name means, its default and its bounds.

Code of `mail` reads them as `from mail.conf import settings`. Whatever `django.conf.settings` says
wins, `override_settings` included. This package imports nothing else of `mail`, so that a
project's settings module may import it.
"""

from collections.abc import Mapping
from typing import Any

from mail.conf.readers import at_least, rate, seconds, text, whole
from mail.conf.setting import Setting
from mail.conf.transports import Transports


class MailSettings:
    """What `mail` can be told. Reading one raises ImproperlyConfigured for a value of no use."""

    MAIL_TRANSPORTS = Transports()
    """What each lane's mail leaves through. Unset: the SMTP server of Django's own settings."""
    MAIL_RATE = Setting(rate, "")
    """The most mails a second, minute, hour and day, such as `14/s,50000/d`. Empty: no limit."""
    MAIL_REDIRECT_TO = Setting(text, "")
    """The address that every mail goes to on a staging system."""
    MAIL_LEASE = Setting(seconds(minimum=2), 8)
    """How long a claim is good for without a sign of life."""
    MAIL_UNCERTAIN_WAIT = Setting(seconds(minimum=0), 900)
    """How long an uncertain mail rests before it is sent once more."""
    MAIL_BATCH_LIMIT = Setting(whole(minimum=1), 1000)
    """The most mails in a Batch."""
    MAIL_WINDOW = Setting(whole(minimum=1), 32)
    """The most Batches of a lane that wait for a worker."""
    MAIL_REPUBLISH_AFTER = Setting(seconds(minimum=1), 60)
    """When a Batch that nobody claimed is published again."""
    MAIL_RELAY_INTERVAL = Setting(at_least(0.01), 0.1)
    """Seconds that the relay rests when nothing is pressing."""
    MAIL_CONTENT_LIMIT = Setting(whole(minimum=1000), 10_000_000)
    """The most octets of a mail."""


settings = MailSettings()


def declared() -> dict[str, Setting[Any]]:
    """Every setting, by its name."""
    return {name: one for name, one in vars(MailSettings).items() if isinstance(one, Setting)}


def from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings as an environment gives them or by default, for a settings module to take over.

    An empty variable counts as none. MAIL_TRANSPORTS is among them if the environment names it.
    Raises ImproperlyConfigured for a value of no use.
    """
    return {
        name: setting.read(environ[name], name) if environ.get(name) else setting.default
        for name, setting in declared().items()
        if environ.get(name) or setting.default is not None
    }
