"""What a chaos run adds to the shop: a kind of mail that holds, its view, the SMTP grid.

An app of Django. May import `mail`, its worker included, and the harness.
"""
