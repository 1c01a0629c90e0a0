"""What `moa` configures without a database: `python3 bin/test tests/unit/moa`."""
