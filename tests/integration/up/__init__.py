"""`bin/up` and its supervisor, with real children: `python3 bin/test tests/integration/up`."""
