"""The settings of mail: defaults, what Django's settings and an environment may say, bounds."""

from datetime import timedelta

import pytest
from django.conf import UserSettingsHolder, global_settings
from django.core.exceptions import ImproperlyConfigured

from mail.conf import declared, from_environ, setting, transports
from mail.conf import settings as mail_settings
from mail.conf.rate import Rate
from mail.conf.smtp_server import SmtpServer


@pytest.fixture
def fresh(monkeypatch) -> UserSettingsHolder:
    """Django's settings in a project without any mail settings."""
    empty = UserSettingsHolder(global_settings)
    monkeypatch.setattr(setting, "settings", empty)
    monkeypatch.setattr(transports, "settings", empty)
    return empty


def test_a_project_that_says_nothing_has_the_defaults(fresh):
    assert {name: getattr(mail_settings, name) for name in declared()} == {
        "MAIL_TRANSPORTS": dict.fromkeys(
            ("transactional", "bulk"), SmtpServer(host="localhost", port=25)
        ),
        "MAIL_RATE": Rate(),
        "MAIL_REDIRECT_TO": "",
        "MAIL_LEASE": timedelta(seconds=8),
        "MAIL_UNCERTAIN_WAIT": timedelta(minutes=15),
        "MAIL_BATCH_LIMIT": 1000,
        "MAIL_WINDOW": 32,
        "MAIL_REPUBLISH_AFTER": timedelta(minutes=1),
        "MAIL_RELAY_INTERVAL": 0.1,
        "MAIL_CONTENT_LIMIT": 10_000_000,
    }


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("MAIL_LEASE", 10, timedelta(seconds=10)),
        ("MAIL_LEASE", "2.5", timedelta(seconds=2.5)),
        ("MAIL_LEASE", timedelta(minutes=1), timedelta(minutes=1)),
        ("MAIL_WINDOW", "4", 4),
        ("MAIL_RELAY_INTERVAL", 1, 1.0),
        ("MAIL_RATE", "14/s", Rate(per_second=14)),
        ("MAIL_RATE", Rate(per_day=9), Rate(per_day=9)),
        ("MAIL_REDIRECT_TO", None, ""),
    ],
)
def test_a_setting_of_the_project_wins_at_once(settings, name, given, meant):
    setattr(settings, name, given)

    assert getattr(mail_settings, name) == meant


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("MAIL_LEASE", 1.5, "MAIL_LEASE=1.5 is below its minimum, 2."),
        ("MAIL_LEASE", timedelta(seconds=1), "MAIL_LEASE=1.0 is below its minimum, 2."),
        ("MAIL_LEASE", "soon", "MAIL_LEASE='soon' is not a number."),
        ("MAIL_LEASE", "nan", "MAIL_LEASE='nan' is not a number."),
        ("MAIL_WINDOW", True, "MAIL_WINDOW=True is not a number."),
        ("MAIL_WINDOW", float("inf"), "MAIL_WINDOW=inf is not a number."),
        ("MAIL_WINDOW", 1.5, "MAIL_WINDOW=1.5 is not a whole number."),
        ("MAIL_REDIRECT_TO", 7, "MAIL_REDIRECT_TO is not a string."),
        (
            "MAIL_TRANSPORTS",
            7,
            "MAIL_TRANSPORTS is neither smtp://host:port nor a mapping with BACKEND and OPTIONS.",
        ),
        (
            "MAIL_TRANSPORTS",
            {"bulk": "smtp://one"},
            "MAIL_TRANSPORTS must have the key transactional and may have bulk.",
        ),
    ],
)
def test_an_invalid_value_is_explained(settings, name, given, sentence):
    setattr(settings, name, given)

    with pytest.raises(ImproperlyConfigured) as refusal:
        getattr(mail_settings, name)

    assert str(refusal.value) == sentence


@pytest.mark.filterwarnings("ignore:The EMAIL_.* setting is deprecated")
def test_django_s_own_settings_name_the_server(fresh):
    fresh.EMAIL_HOST, fresh.EMAIL_PORT, fresh.EMAIL_USE_TLS = "smtp.example", 587, True
    fresh.EMAIL_HOST_USER, fresh.EMAIL_HOST_PASSWORD = "shop", "hunter2"

    named = SmtpServer(
        host="smtp.example", port=587, user="shop", password="hunter2", starttls=True
    )
    assert {"transactional": named, "bulk": named} == mail_settings.MAIL_TRANSPORTS


@pytest.mark.parametrize(
    ("given", "ports"),
    [
        ("smtp://one:1", (1, 1)),
        ({"transactional": "smtp://one:1"}, (1, 1)),
        ({"transactional": "smtp://one:1", "bulk": "smtp://two:2"}, (1, 2)),
        ({"transactional": SmtpServer(host="one", port=1), "bulk": ""}, (1, 1)),
    ],
)
def test_servers_are_named_for_both_lanes_or_for_each(settings, given, ports):
    settings.MAIL_TRANSPORTS = given

    found = mail_settings.MAIL_TRANSPORTS

    assert (found["transactional"].port, found["bulk"].port) == ports


def test_an_environment_gives_what_it_names_and_the_defaults():
    given = from_environ({"MAIL_WINDOW": "4", "MAIL_RATE": "", "MAIL_OTHER": "1", "HOME": "/"})

    assert given["MAIL_WINDOW"] == 4
    assert given["MAIL_RATE"] == Rate()
    assert given.keys() == declared().keys() - {"MAIL_TRANSPORTS"}


def test_an_environment_with_a_value_of_no_use_is_refused():
    with pytest.raises(ImproperlyConfigured, match=r"^MAIL_WINDOW='many' is not a number\.$"):
        from_environ({"MAIL_WINDOW": "many"})
