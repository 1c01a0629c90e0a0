"""The tables of `seller`, with the queries that are asked of them.

They import `mail.models` and each other, and no service.
"""

from seller.models.notice_period import NoticePeriod
from seller.models.product import Product
from seller.models.seller import Seller
from seller.models.subscription import Subscription
from seller.models.terms import Immutable, Terms

__all__ = ["Immutable", "NoticePeriod", "Product", "Seller", "Subscription", "Terms"]
