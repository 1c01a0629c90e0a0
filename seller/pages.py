"""The public page of a version of terms, to which notices link."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from seller.models import Terms


def terms(request: HttpRequest, pk: int) -> HttpResponse:
    """The full text of a published version; a draft is not found."""
    published = Terms.objects.published().with_seller()
    return render(
        request, "seller/terms_page.html", {"terms": get_object_or_404(published, pk=pk)}
    )
