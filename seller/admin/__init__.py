"""The admin of a seller's own rows: lists, forms, and the page that publishes a draft.

It may import the services and models of `seller`, and what `mail` shows in the admin.
"""

from seller.admin.notice_periods import NoticePeriodAdmin
from seller.admin.products import ProductAdmin
from seller.admin.sellers import SellerAdmin
from seller.admin.subscriptions import SubscriptionAdmin
from seller.admin.terms import TermsAdmin

__all__ = ["NoticePeriodAdmin", "ProductAdmin", "SellerAdmin", "SubscriptionAdmin", "TermsAdmin"]
