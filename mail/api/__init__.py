"""The HTTP API: Messages to look at and to steer, and the Deliveries of one. Needs DRF.

Imports `operations`, `models` and `outbox`; nothing of mail imports it.
"""
