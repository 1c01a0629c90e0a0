from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from mail import audiences
from tests.unit.mail.mails import users

User = get_user_model()


@pytest.mark.django_db
def test_an_audience_yields_its_recipients_as_of_a_moment():
    now = timezone.now()
    User.objects.create(username="kim", email="kim@example.com", date_joined=now)
    User.objects.create(username="lee", date_joined=now + timedelta(seconds=1))

    found = audiences.recipients("tests.users", {"prefix": ""}, now)

    assert [row.address for row in found] == ["kim@example.com"]


def test_an_unknown_audience_is_refused_and_the_known_are_named():
    with pytest.raises(audiences.UnknownAudience, match=r"tests\.users"):
        audiences.recipients("tests.nobody", {}, timezone.now())


def test_a_name_stands_for_one_query():
    with pytest.raises(ValueError, match=r"tests\.users"):
        audiences.declare("tests.users")(lambda **_: User.objects.none())

    assert audiences.declare("tests.users")(users) is users
