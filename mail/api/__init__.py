"""The HTTP API: Messages to read and steer, and their Deliveries. Needs DRF.

Imports `operations`, `models` and `outbox`; nothing in mail imports it.
"""
