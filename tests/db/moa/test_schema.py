"""The OpenAPI document and its page."""

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_document_is_valid_and_complete(tmp_path):
    written = tmp_path / "schema.yml"

    call_command("spectacular", "--file", str(written), "--validate", "--fail-on-warn")

    paths = yaml.safe_load(written.read_text())["paths"]
    assert {
        "/api/auth/login/",
        "/api/products/",
        "/api/products/{id}/terms/",
        "/api/terms/{id}/",
        "/api/terms/{id}/preview/",
        "/api/terms/{id}/publish/",
        "/api/payments/",
        "/api/payments/{id}/",
        "/api/payments/{id}/confirm/",
        "/api/payments/webhooks/{provider}/",
        "/api/messages/",
        "/api/messages/{id}/",
        "/api/messages/{id}/deliveries/",
        "/api/messages/{id}/pause/",
        "/api/messages/{id}/resume/",
        "/api/messages/{id}/cancel/",
        "/api/messages/{id}/resend/",
    } <= paths.keys()
    for operations in paths.values():
        for operation in operations.values():
            answer = operation["responses"]["default"]["content"]
            assert list(answer) == ["application/problem+json"]


def test_the_page_loads_nothing_from_elsewhere(client: Client):
    page = client.get("/api/docs/")

    assert page.status_code == 200
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content
