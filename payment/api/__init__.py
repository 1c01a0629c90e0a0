"""The API of payments, and the webhooks of providers.

It may import the services and models of `payment`; the rules are theirs.
"""
