"""The benchmark: Moa compared with its peers and with the limit, on private servers.

A command, `python3 -m bench`. May import `tests.harness` and what that may import.
"""
