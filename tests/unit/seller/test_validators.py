"""Validators: a name that a seller may have makes a mail, for ever after."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from mail.content.compose import sender
from seller import validators
from seller.models import Seller

LIMIT = Seller._meta.get_field("name").max_length


@given(name=st.text(min_size=1, max_size=LIMIT))
@example(name="=?utf-8?b?QmFuaw==?=")
@example(name="=?utf-8?q??= \uf8ff")
@example(name='"' * LIMIT)
def test_a_name_that_is_accepted_can_stand_in_a_header(name: str):
    try:
        validators.line(name)
    except ValidationError:
        return

    # nothing but quotes may vanish, where Python has the bug of mail.W005
    assert sender(name).endswith(">") or not any(map(str.isalnum, name))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("=?utf-8?b?QmFuaw==?=", "encoded_word"),
        ("농장 =?UTF-8?Q?x?=", "encoded_word"),
        ("a\nb", "not_one_line"),
        ("a\u202eb", "not_one_line"),
        ("a\0b", "unsendable"),
        ("\ue000name\ue001", "unsendable"),
    ],
)
def test_a_name_that_would_read_otherwise_is_refused(name: str, code: str):
    with pytest.raises(ValidationError) as refused:
        validators.line(name)

    assert refused.value.code == code


@pytest.mark.parametrize("name", ["모아 농장", 'A "B", C', "what=?no?=", "홍\u200d길동", "\uf8ff"])
def test_a_usual_name_is_accepted(name: str):
    validators.line(name)
