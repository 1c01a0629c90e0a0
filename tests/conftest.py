"""Fixtures for every test: the servers, and the report of the run.

PostgreSQL is named by DATABASE_URL (`bin/test` starts one); without it the tests run on SQLite
and those marked `postgresql` or `rabbitmq` are skipped. RabbitMQ is started here, in the
background, when a test asks for it.
"""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import django
import hypothesis
import pytest
from django.conf import settings
from django.db import connection

from tests.harness import rabbitmq as rabbitmq_server
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.smtp import SmtpServer

# On a busy machine an example may take any time.
hypothesis.settings.register_profile(
    "moa", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("moa")

CI = os.environ.get("CI", "").lower() == "true"
GIVEN = os.environ.get("TEST_BROKER_URL", "")
USED = pytest.StashKey[dict[str, str]]()
BROKER = pytest.StashKey[Future[RabbitMQ]]()
LEFT_OUT = pytest.StashKey[Counter[str]]()
LEAVES_OUT = os.environ.get("MOA_TEST_LEAVES_OUT", "").split()
"""The markers by which a tier leaves tests out; a test counts under the first that it has."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = Counter()
    config.stash[USED] = {"Python": platform.python_version(), "Django": django.__version__}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_postgresql = "postgresql" in settings.DATABASES["default"]["ENGINE"]
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if marks & {"postgresql", "rabbitmq"} and not on_postgresql:
            item.add_marker(pytest.mark.skip("needs PostgreSQL: set DATABASE_URL"))
        if "rabbitmq" in marks and not (GIVEN or rabbitmq_server.installed()):
            item.add_marker(pytest.mark.skip("needs RabbitMQ, which is not installed"))


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is left out, under the first marker that says why."""
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        why = next((name for name in LEAVES_OUT if name in marks), "")
        if why:
            item.config.stash[LEFT_OUT][why] += 1


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start RabbitMQ while the other tests run: it takes ten seconds."""
    wanted = any(
        "rabbitmq" in getattr(item, "fixturenames", ())
        or (item.get_closest_marker("rabbitmq") and not GIVEN)
        for item in session.items
    )
    if wanted and rabbitmq_server.installed() and not session.config.option.collectonly:
        starter = ThreadPoolExecutor(1)
        session.config.stash[BROKER] = starter.submit(RabbitMQ().start)
        starter.shutdown(wait=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    if started := config.stash.get(BROKER, None):
        started.result().discard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Under CI=true a skipped test fails, so that nothing goes untested unnoticed."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI=true: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    report = yield
    if CI and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"skipped under CI=true: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    used = config.stash[USED]
    terminalreporter.write_line("used: " + ", ".join(f"{one} {used[one]}" for one in used))
    left_out = config.stash[LEFT_OUT]
    if left_out:
        terminalreporter.write_line(
            "left out: " + ", ".join(f"{left_out[one]} {one}" for one in left_out)
        )
    if written := os.environ.get("MOA_TEST_RESULTS"):
        stats = terminalreporter.stats
        counts = {
            "passed": len(stats.get("passed", ())),
            "failed": len(stats.get("failed", ())) + len(stats.get("error", ())),
            "skipped": len(stats.get("skipped", ())),
        }
        Path(written).write_text(json.dumps(counts | {"used": used, "left_out": left_out}))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker, request: pytest.FixtureRequest) -> None:
    """The test database, and the version of its server on record."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW server_version")
            name = "PostgreSQL"
        else:
            cursor.execute("SELECT sqlite_version()")
            name = "SQLite"
        request.config.stash[USED][name] = cursor.fetchone()[0].split()[0]


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> RabbitMQ:
    """A private RabbitMQ node, which a test may stop, freeze and wipe if it starts it again."""
    if BROKER not in request.config.stash:
        pytest.skip("needs a RabbitMQ of its own, which is not installed")
    server = request.config.stash[BROKER].result()
    request.config.stash[USED]["RabbitMQ"] = server.version
    return server


@pytest.fixture(scope="session")
def smtp_server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def smtp(smtp_server: SmtpServer) -> Iterator[SmtpServer]:
    """A fresh scripted SMTP server that accepts everything."""
    smtp_server.reset()
    yield smtp_server
    smtp_server.clear_rules()
