"""Chaos: all of Moa under load, seeded faults, and a ledger of every mail.

A command, `python -m chaos`. May import `tests.harness` and what that may import.
"""
