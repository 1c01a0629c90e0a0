"""Chaos in small: its processes, and a short run: `python3 bin/test tests/integration/chaos`."""
