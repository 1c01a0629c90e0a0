from seller.models.notice_period import NoticePeriod
from seller.models.product import Product
from seller.models.seller import Seller
from seller.models.subscription import Subscription
from seller.models.terms import Immutable, Terms

__all__ = ["Immutable", "NoticePeriod", "Product", "Seller", "Subscription", "Terms"]
