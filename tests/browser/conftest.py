"""A real browser, Chromium, as a seller's administrator uses it."""

import shutil
from collections.abc import Iterator

import pytest
from django.db import connection
from playwright.sync_api import Page, sync_playwright

QUIET = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Page]:
    """A page of a browser that speaks Korean."""
    # Playwright runs an event loop in this thread; Django would refuse to touch the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser.new_context(locale="ko-KR").new_page()
        browser.close()
    end_sessions_of_the_live_server()


def end_sessions_of_the_live_server() -> None:
    """A thread whose browser went away keeps its session, and would keep the test database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
