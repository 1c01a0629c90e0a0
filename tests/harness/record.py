"""The database's records for the balance, through any session of PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from tests.harness.balance import Row

ROWS = """
    SELECT delivery.id, message.id, delivery.address, delivery.state, message.kind,
           message.on_uncertain = 'hold', delivery.code, message.message_id,
           '<' || message.uuid || '.' || delivery.id || '@' || message.message_id_domain || '>',
           (SELECT count(*) FROM mail_attempt AS attempt
             WHERE attempt.delivery_id = delivery.id AND attempt.outcome = 'uncertain')
      FROM mail_delivery AS delivery JOIN mail_message AS message ON message.id = delivery.message_id
"""
COUNTS = "SELECT id, queued, sent, failed, uncertain, cancelled FROM mail_message"
STATES = ("queued", "sent", "failed", "uncertain", "cancelled")


def row(found: Sequence[Any]) -> Row:
    """A row that ROWS found."""
    pk, message, address, state, kind, holds, code, shared_id, own_id, unsure = found
    return Row(
        pk=pk,
        message=message,
        mail=(shared_id or own_id, address),
        state=state,
        kind=kind,
        holds=holds,
        code=code,
        unsure=unsure,
    )


def counts(found: Sequence[Any]) -> tuple[int, dict[str, int]]:
    """A row that COUNTS found: the Message, and what it counts by state."""
    pk, *by_state = found
    return pk, dict(zip(STATES, by_state, strict=True))
