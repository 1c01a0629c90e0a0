"""The story: Moa's purpose checked end to end over HTTP, commands and real mail.

`bin/up --check` runs it. It uses none of Moa's internals: it starts `manage.py up` as a person
would, with DATABASE_URL and BROKER_URL from the environment if they are set.
"""
