"""The relay: binds due Deliveries to Batches, publishes their ids, and rescues dead workers.

`loop` is where to begin. Any number of relays run and one leads. This package imports `ledger`
and `models`; it reaches the worker only through the tasks it publishes.
"""
