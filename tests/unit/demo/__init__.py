"""The catcher's faults, and how it reads a mail: `python3 bin/test tests/unit/demo`."""
