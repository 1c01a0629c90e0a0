"""The catcher's system check."""

import pytest

from demo.catcher import checks


@pytest.mark.parametrize(
    ("debug", "catcher", "found"),
    [(False, True, ["catcher.E001"]), (True, True, []), (False, False, [])],
)
def test_the_catcher_is_refused_outside_debug(settings, debug, catcher, found):
    settings.DEBUG, settings.MAIL_CATCHER = debug, catcher

    assert [message.id for message in checks.check_debug()] == found
