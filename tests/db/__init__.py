"""What needs one database and nothing else: `python3 bin/test db`.

On SQLite, or on the server that TEST_DATABASE_URL names; the whole run does both.
"""
