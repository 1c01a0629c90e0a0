"""Requests while a server is stopped or frozen: `python3 bin/test tests/integration/requests`.

`python -m tests.integration.requests.latency` measures them and writes its result.
"""
