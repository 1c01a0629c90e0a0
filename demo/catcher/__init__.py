"""The mail catcher: an SMTP server that keeps every mail for an inbox in the admin.

Imports no other app: to Moa it is an SMTP server like any other.
"""
