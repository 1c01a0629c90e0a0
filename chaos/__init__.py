"""Chaos: the whole of Moa under load, faults from a seed, and a ledger of every mail."""
