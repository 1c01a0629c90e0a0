"""Gateways and their signatures: `python3 bin/test tests/unit/payment`."""
