"""Tokens: who a request to the API is from."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def ask(token: str) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client.get("/api/messages/").status_code


@pytest.fixture
def operator() -> User:
    return User.objects.create_superuser("operator")


def test_a_token_whose_time_is_over_lets_nobody_in_and_is_forgotten(operator: User) -> None:
    _, token = AuthToken.objects.create(operator, expiry=timedelta(seconds=-1))

    assert ask(token) == 401
    assert not AuthToken.objects.exists()


def test_a_request_reads_no_token_but_its_own(operator: User) -> None:
    AuthToken.objects.create(operator, expiry=timedelta(seconds=-1))
    _, token = AuthToken.objects.create(operator, expiry=timedelta(hours=1))

    with CaptureQueriesContext(connection) as queries:
        assert ask(token) == 200

    asked = [query["sql"] for query in queries if "knox_authtoken" in query["sql"]]
    assert len(asked) == 1
