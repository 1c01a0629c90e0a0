import pytest

from demo.catcher import faults

NO_SUCH_MAILBOX = "550 5.1.1 no such mailbox"


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("bounce@shop.example", NO_SUCH_MAILBOX),
        ("bounce+550-5.1.1@shop.example", NO_SUCH_MAILBOX),
        ("bounce+550-5.1.1+anna@shop.example", NO_SUCH_MAILBOX),
        ("BOUNCE+550-5.1.1@SHOP.EXAMPLE", NO_SUCH_MAILBOX),
        ("bounce+552@shop.example", "552 no such mailbox"),
        ("bounce+554-5.7.1@shop.example", "554 5.7.1 no such mailbox"),
        ("defer@shop.example", "451 4.7.1 not now, try again later"),
        ("defer+452-4.2.2@shop.example", "452 4.2.2 not now, try again later"),
        ("slow@shop.example", "421 4.7.0 not now, try again later"),
        ("slow+450@shop.example", "450 not now, try again later"),
    ],
)
def test_a_refusing_address_says_with_which_reply(address, reply):
    assert faults.of(address).reply == reply


@pytest.mark.parametrize(
    "address",
    [
        "anna@shop.example",
        "anna+bounce@shop.example",
        "bouncer@shop.example",
        "bounce+250@shop.example",
        "bounce+451@shop.example",
        "bounce+550x@shop.example",
        "bounce+550-4.1.1.1@shop.example",
        "defer+550@shop.example",
        "@shop.example",
        "anna",
        "",
    ],
)
def test_an_address_that_makes_no_sense_as_a_rule_has_no_fault(address):
    assert faults.of(address) is None


@pytest.mark.parametrize(
    ("address", "struck"),
    [
        ("bounce+550@shop.example", [True, True, True, True, True, True, True]),
        ("defer+451@shop.example", [True, True, False, False, False, False, False]),
        ("defer+451+1+anna@shop.example", [True, False, False, False, False, False, False]),
        ("defer+451+5@shop.example", [True, True, True, True, True, False, False]),
        ("defer+451+anna@shop.example", [True, True, False, False, False, False, False]),
        ("slow+421@shop.example", [True, True, False, False, False, False, False]),
        ("drop@shop.example", [True, False, False, False, False, False, False]),
    ],
)
def test_a_fault_strikes_the_first_tries(address, struck):
    fault = faults.of(address)

    assert [fault.strikes(tried) for tried in range(7)] == struck


@pytest.mark.parametrize(
    ("address", "hangs_up", "keeps"),
    [
        ("drop@shop.example", True, False),
        ("drop+kept@shop.example", True, True),
        ("slow+421@shop.example", True, True),
        ("slow+450@shop.example", False, True),
        ("defer+451@shop.example", False, True),
    ],
)
def test_some_faults_hang_up(address, hangs_up, keeps):
    fault = faults.of(address)

    assert (fault.hangs_up, fault.keeps) == (hangs_up, keeps)


@pytest.mark.parametrize(
    ("address", "seconds"),
    [
        ("late@shop.example", 3),
        ("late+7@shop.example", 7),
        ("late+x@shop.example", 3),
        ("late+99999@shop.example", 600),
    ],
)
def test_a_late_reply_takes_so_many_seconds(address, seconds):
    assert faults.of(address).seconds == seconds
