"""The worker: claims a Batch, delivers its mails over SMTP, and records what became of each.

`batch_run` is where to begin. One slot of Celery delivers one Batch over one connection. This
package imports `ledger`, `models`, `content` and `transport`; only `mail.tasks` imports it.
"""
