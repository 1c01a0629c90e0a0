"""Tokens for the API, and the password reset of the admin."""

import base64
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from mail.models import Delivery, Message
from tests.db.mail.rows import make_user
from tests.harness import mailers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outbox_backend(settings: Settings) -> None:
    mailers.set_default(settings, mailers.OUTBOX)


@pytest.fixture
def kim() -> User:
    return make_user("kim", "view_message", is_staff=True)


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_a_login_gives_a_token_that_opens_the_api_until_the_logout(client: Client, kim: User):
    answer = client.post("/api/auth/login/", headers=basic("kim", "secret"))
    token = {"authorization": f"Token {answer.json()['token']}"}

    assert answer.status_code == 200
    assert client.get("/api/messages/", headers=token).status_code == 200
    assert client.post("/api/auth/logout/", headers=token).status_code == 204
    assert client.get("/api/messages/", headers=token).status_code == 401


def test_a_wrong_password_gives_none(client: Client, kim: User):
    answer = client.post("/api/auth/login/", headers=basic("kim", "wrong"))

    assert answer.status_code == 401
    assert answer.json()["code"] == "authentication_failed"


def test_a_session_steers_only_with_its_csrf_token(kim: User):
    client = Client(enforce_csrf_checks=True)
    client.force_login(kim)

    assert client.get("/api/messages/").status_code == 200
    answer = client.post("/api/messages/1/pause/")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_the_login_page_of_the_admin_offers_a_reset(client: Client):
    assert "/admin/password_reset/" in client.get("/admin/login/").content.decode()


def test_a_reset_is_recorded_as_a_secret_that_is_erased_once_sent(client: Client, kim: User):
    answer = client.post("/admin/password_reset/", {"email": kim.email})

    message = Message.objects.get()
    assert answer.status_code == 302
    assert (message.kind, message.keep_for) == ("mail.secret", timedelta(0))
    assert Delivery.objects.get().address == kim.email


def test_the_link_in_the_mail_sets_a_new_password(client: Client, kim: User):
    client.post("/admin/password_reset/", {"email": kim.email})
    link = re.search(r"/admin/password_reset/\S+", Message.objects.get().text)
    assert link
    form = client.get(link[0], follow=True)

    new = {"new_password1": "carrot-42-bicycle", "new_password2": "carrot-42-bicycle"}
    done = client.post(form.redirect_chain[-1][0], new, follow=True)

    assert done.redirect_chain[-1][0] == "/admin/password_reset/complete/"
    assert client.login(username="kim", password="carrot-42-bicycle")


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: Client, kim: User):
    known = client.post("/admin/password_reset/", {"email": kim.email})
    unknown = client.post("/admin/password_reset/", {"email": "nobody@example.com"})

    assert (unknown.status_code, unknown.url) == (known.status_code, known.url)
    assert Message.objects.count() == 1
