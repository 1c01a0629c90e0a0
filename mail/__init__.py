"""Mail: `send_mail` as a background job that loses no mail.

The top of this package is its face: `outbox` records mails, `kinds` and `audiences` are declared
by apps, `backends` is the drop-in EMAIL_BACKEND, `tasks` is what Celery runs. The recording side
(`outbox`, `content`) and the delivering side (`relay`, `worker`, `transport`) meet only in
`models` and `ledger`. The package imports no other app. This module imports nothing, because
Django loads the models later.
"""
