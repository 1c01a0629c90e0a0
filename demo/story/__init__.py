"""The story: what Moa is for, walked from end to end over HTTP, commands and real mail.

`bin/up --check` tells it. It knows nothing of Moa's insides: it starts `manage.py up` as a
person would, with the DATABASE_URL and BROKER_URL of the environment if they are set.
"""
