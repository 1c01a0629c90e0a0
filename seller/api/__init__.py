"""The API of products, terms and subscriptions, for programs of a seller.

It may import the services and models of `seller`; the rules are theirs.
"""
