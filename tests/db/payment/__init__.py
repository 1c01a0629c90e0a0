"""Payments and their receipts: `python3 bin/test tests/db/payment`."""
