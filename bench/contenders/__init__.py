"""The contenders. The modules `ours`, `limit` and `peers` drive; the others run as peers."""
