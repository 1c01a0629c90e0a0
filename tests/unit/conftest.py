"""The unit tier has no database: a test that asks for one is in the wrong folder."""

import pytest

DATABASE = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raises UsageError for a test that wants a database; pytest-django refuses the rest."""
    misplaced = [
        item.nodeid
        for item in items
        if "tests/unit/" in item.nodeid
        and (item.get_closest_marker("django_db") or DATABASE & set(item.fixturenames))
    ]
    if misplaced:
        raise pytest.UsageError(f"tests of the unit tier want a database: {misplaced}")
