"""Sellers, terms and subscriptions: `python3 bin/test tests/db/seller`."""
