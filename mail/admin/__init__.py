"""The admin of the mail app: history to read, and a few verbs to steer by."""

from mail.admin import batches, deliveries, messages, transports

__all__ = ["batches", "deliveries", "messages", "transports"]
