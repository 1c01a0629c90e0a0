import pytest

from mail.content.addresses import InvalidAddress, normalise

GOOD = [
    ("kim@example.com", "kim@example.com"),
    ("  kim@example.com\n", "kim@example.com"),
    ("Kim@EXAMPLE.Com", "Kim@example.com"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ("a@모아.한국", "a@xn--v52b27q.xn--3e0b707e"),
    ("first.last+tag@sub.example.com", "first.last+tag@sub.example.com"),
    ("o'hara@example.com", "o'hara@example.com"),
    ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
]

BAD = [
    "",
    "kim",
    "@example.com",
    "kim@",
    "kim@localhost",
    "kim@[127.0.0.1]",
    "kim@[IPv6:::1]",
    "kim@127.0.0.1",
    "kim%evil.example@example.com",
    "evil.example!kim@example.com",
    '"kim lee"@example.com',
    "Kim <kim@example.com>",
    "<kim@example.com>",
    "kim@example.com, lee@example.com",
    "kim@example.com\nBcc: lee@example.com",
    "kim@example.com\0",
    "kim @example.com",
    "kim..lee@example.com",
    ".kim@example.com",
    "kim.@example.com",
    "김@example.com",
    "kim@-example.com",
    "kim@exa_mple.com",
    "kim@example..com",
    "kim@example.com.",
    "kim@" + "y" * 64 + ".example",
    "x" * 65 + "@example.com",
    "x@" + ".".join(["y" * 60] * 5) + ".com",
    "kim@exam\u200bple.com",
    "kim\u202e@example.com",
]


@pytest.mark.parametrize(("written", "stored"), GOOD)
def test_i8_the_domain_is_lowered_and_idna_encoded_and_the_local_part_kept(
    written: str, stored: str
):
    assert normalise(written) == stored


@pytest.mark.parametrize(("written", "stored"), GOOD)
def test_the_stored_form_of_an_address_stays_as_it_is(written: str, stored: str):
    assert normalise(normalise(written)) == stored


@pytest.mark.parametrize("written", BAD)
def test_what_mail_cannot_reach_is_refused(written: str):
    with pytest.raises(InvalidAddress):
        normalise(written)


def test_a_refusal_quotes_the_address_and_says_why():
    with pytest.raises(InvalidAddress, match=r"'kim@' *: .+"):
        normalise("kim@")
