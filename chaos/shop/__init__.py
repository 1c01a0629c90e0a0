"""What a chaos run adds to the shop: a kind of mail that holds, its view, the SMTP grid.

An app of Django. It may import `mail` down to its worker, and the harness.
"""
