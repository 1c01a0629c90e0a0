"""The mail catcher: an SMTP server that keeps every mail for an inbox in the admin.

It imports no other app: to Moa it is a server like any other.
"""
