"""EMAIL_URL and MAIL_RATE, as they are written in the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from mail.conf.rate import Rate
from mail.conf.smtp_server import SmtpServer


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mx.example", SmtpServer(host="mx.example", port=25)),
        ("smtp://mx.example:1025", SmtpServer(host="mx.example", port=1025)),
        ("smtp://[::1]:25", SmtpServer(host="::1", port=25)),
        (
            "smtp+tls://moa:p%40ss%2Fword@mx.example",
            SmtpServer(
                host="mx.example", port=587, user="moa", password="p@ss/word", starttls=True
            ),
        ),
        (
            "smtp+ssl://a%40b.example:x@mx.example:2465",
            SmtpServer(
                host="mx.example",
                port=2465,
                user="a@b.example",
                password="x",
                implicit_tls=True,
            ),
        ),
    ],
)
def test_a_url_names_a_server(url: str, server: SmtpServer):
    assert SmtpServer.parse(url, name="EMAIL_URL") == server


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "begins with ''"),
        ("mx.example:25", "begins with"),
        ("http://mx.example", "smtp://"),
        ("smtps://moa:hunter2@mx.example", "smtp+ssl://"),
        ("smtp://", "no host"),
        ("smtp+tls://moa:hunter2@:587", "no host"),
        ("smtp://moa:hunter2@mx.example:99999", "port"),
        ("smtp://moa:hunter2@mx.example:port", "port"),
    ],
)
def test_a_bad_url_is_refused_in_a_sentence_without_its_password(url: str, complaint: str):
    with pytest.raises(ImproperlyConfigured) as refusal:
        SmtpServer.parse(url, name="EMAIL_URL_BULK")

    sentence = str(refusal.value)
    assert sentence.startswith("EMAIL_URL_BULK ")
    assert complaint in sentence
    assert "hunter2" not in sentence


def test_a_server_never_shows_its_password():
    server = SmtpServer.parse("smtp+tls://moa:hunter2@mx.example", name="EMAIL_URL")

    assert repr(server) == "SmtpServer(mx.example:587)"
    assert "hunter2" not in f"{server} {[server]}"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("", Rate()),
        ("14/s", Rate(per_second=14)),
        ("0.5/s", Rate(per_second=0.5)),
        ("300/m", Rate(per_second=5)),
        ("7200/h", Rate(per_second=2)),
        ("50000/d", Rate(per_day=50000)),
        (" 14/s , 50000/d ", Rate(per_second=14, per_day=50000)),
    ],
)
def test_a_rate_is_so_many_in_a_time(text: str, rate: Rate):
    assert Rate.parse(text, name="MAIL_RATE") == rate


@pytest.mark.parametrize("text", ["14", "14/x", "0/s", "-1/s", "fast", "14/s;5/d", "1e3/s"])
def test_a_bad_rate_is_refused_in_a_sentence(text: str):
    with pytest.raises(ImproperlyConfigured, match=r"^MAIL_RATE .*14/s,50000/d\.$"):
        Rate.parse(text, name="MAIL_RATE")
