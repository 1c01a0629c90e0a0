"""Health, metrics, accounts and errors of the API: `python3 bin/test tests/db/moa`."""
