from django.urls import path

from seller.api import views

urlpatterns = [
    path("products/", views.ProductList.as_view(), name="product-list"),
    path("products/<int:pk>/terms/", views.TermsOfProduct.as_view(), name="product-terms"),
    path("terms/<int:pk>/", views.TermsDetail.as_view(), name="terms-detail"),
    path("terms/<int:pk>/preview/", views.TermsPreview.as_view(), name="terms-preview"),
    path("terms/<int:pk>/publish/", views.TermsPublish.as_view(), name="terms-publish"),
]
