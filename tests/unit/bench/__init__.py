"""What the benchmark says of processes and figures: `python3 bin/test tests/unit/bench`."""
