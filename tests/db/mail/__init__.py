"""The outbox, Batches, results and the operator's actions: `python3 bin/test tests/db/mail`."""
