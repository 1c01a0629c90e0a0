"""The audience of the search, and a database that several sessions see."""

import pytest

from tests.db.mail.conftest import transactional_db  # noqa: F401
from tests.model.search import invite


@pytest.fixture
def people(transactional_db: None) -> None:  # noqa: F811
    """Five accounts, two of which share an address."""
    invite()
