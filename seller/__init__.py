"""Sellers: products, subscriptions, and terms whose changes every subscriber is told of.

It may import `mail`, and nothing of `payment` or `moa`.
"""
