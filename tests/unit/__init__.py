"""What needs no database: `python3 bin/test unit`.

Pure functions, SMTP over sockets, single processes. `conftest.py` refuses a test that asks for a database.
"""
