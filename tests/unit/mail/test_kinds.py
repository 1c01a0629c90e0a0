from dataclasses import replace

import pytest

from mail import kinds
from mail.models import Lane
from tests.unit.mail.mails import RECEIPT


def test_a_kind_is_found_by_its_name():
    assert kinds.get("tests.receipt") is RECEIPT
    assert "tests.receipt" in kinds.names()


def test_an_unknown_kind_is_refused_and_the_known_are_named():
    with pytest.raises(kinds.UnknownKind, match=r"tests\.receipt"):
        kinds.get("tests.nothing")


def test_the_same_kind_may_be_declared_again():
    assert kinds.declare(replace(RECEIPT)) == RECEIPT


def test_a_name_stands_for_one_policy():
    with pytest.raises(ValueError, match=r"tests\.receipt"):
        kinds.declare(replace(RECEIPT, lane=Lane.BULK))

    assert kinds.get("tests.receipt") is RECEIPT


def test_mails_that_carry_a_secret_are_erased_once_sent():
    assert kinds.SECRET.keep_for is not None
    assert not kinds.SECRET.keep_for
