"""The admin of the mail app: history to read, and the actions on it.

Imports `operations`, `content`, `models` and `outbox`; no other package of mail imports it.
"""

from mail.admin import batches, deliveries, messages, transports

__all__ = ["batches", "deliveries", "messages", "transports"]
