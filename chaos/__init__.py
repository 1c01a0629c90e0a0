"""Chaos: the whole of Moa under load, faults from a seed, and a ledger of every mail.

A command, `python -m chaos`. It may import `tests.harness` and what lies below that.
"""
