"""The harness itself: a server or a ledger that errs would hide what it should find.

python3 bin/test tests/unit/harness
"""
