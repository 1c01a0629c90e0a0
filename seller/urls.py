from django.urls import path

from seller import pages

urlpatterns = [path("terms/<int:pk>/", pages.terms, name="terms-page")]
