"""What `seller` computes: `python3 bin/test tests/unit/seller`."""
