"""Who is compared. The modules `ours`, `limit` and `peers` drive; the others run as peers."""
