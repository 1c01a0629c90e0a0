"""The benchmark: Moa beside its peers and beside the limit, on servers of its own.

A command, `python3 -m bench`. It may import `tests.harness` and what lies below that.
"""
