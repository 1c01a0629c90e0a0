"""Payments: opened, confirmed with a provider, and answered with a receipt.

It may import `seller` and `mail`, and nothing of `moa`.
"""
