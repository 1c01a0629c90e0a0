from seller.admin.notice_periods import NoticePeriodAdmin
from seller.admin.products import ProductAdmin
from seller.admin.sellers import SellerAdmin
from seller.admin.subscriptions import SubscriptionAdmin
from seller.admin.terms import TermsAdmin

__all__ = ["NoticePeriodAdmin", "ProductAdmin", "SellerAdmin", "SubscriptionAdmin", "TermsAdmin"]
