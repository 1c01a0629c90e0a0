"""docs/standalone.md, step by step: the package in a fresh project, in an environment of its own.

The code blocks and the commands are taken from that page. Only the addresses of its servers are
replaced by those of the test's.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tests.harness.broker import Broker
from tests.harness.ports import wait_until
from tests.harness.smtp import SmtpServer

pytestmark = pytest.mark.slow

PROJECT: Path = settings.BASE_DIR
PAGE = (PROJECT / "docs" / "standalone.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [block for language, block in FENCED.findall(PAGE) if language == "python"]
COMMANDS = [block.splitlines() for language, block in FENCED.findall(PAGE) if not language]
EXTRAS = ("rest_framework", "django_filters", "drf_spectacular", "css_inline")

IMPORT_ALL = """
import importlib, importlib.util, pkgutil, sys
import django
django.setup()
import mail
names = [one.name for one in pkgutil.walk_packages(mail.__path__, "mail.", onerror=print)]
wanted = [name for name in names if not name.startswith(("mail.api.", "mail.content.compose"))]
for name in wanted:
    importlib.import_module(name)
print(mail.__file__, len(wanted), sep="\\n")
for name in sys.argv[1:]:
    if importlib.util.find_spec(name):
        print(name)
"""
IN_KOREAN = """
import django
django.setup()
from django.utils import translation
from mail.models import Delivery
with translation.override("ko"):
    print(Delivery.State.QUEUED.label)
"""


SEEN = """
import sys
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.test import Client
send_mail("Seen", "text", None, ["somebody@example.com"])
client = Client(HTTP_HOST="localhost")
client.force_login(get_user_model().objects.create_superuser("operator"))
for path in sys.argv[1:]:
    response = client.get(path)
    print(path, response.status_code, "Seen" in response.content.decode())
"""


def block(title: str) -> str:
    """The code block of the page that begins with this comment."""
    (found,) = [one for one in BLOCKS if one.startswith(f"# {title}\n")]
    return found


def replaced(text: str, changes: dict[str, object]) -> str:
    """A block with other addresses in it; each that is replaced has to be there, once."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old} in {text}"
        text = text.replace(old, str(new))
    return text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package as it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, folder], cwd=PROJECT, check=True, capture_output=True)
    (built,) = folder.glob("moa_mail-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """The commands of a virtual environment with the package and no extra."""
    return install(f"moa-mail @ {wheel.as_uri()}", tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def installed_with_api(wheel: Path, tmp_path_factory) -> Path:
    return install(f"moa-mail[api] @ {wheel.as_uri()}", tmp_path_factory.mktemp("api"))


def install(requirement: str, folder: Path) -> Path:
    """Make a virtual environment with one requirement; what that brings is pinned as Moa's is."""
    (folder / "requirements.txt").write_text(f"{requirement}\n")
    shutil.copy(PROJECT / "constraints.txt", folder)
    bootstrap = loaded_bootstrap()
    bootstrap.create(folder / "venv")
    bootstrap.install("requirements.txt", folder, folder / "venv" / "bin" / "python")
    return folder / "venv" / "bin"


def loaded_bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", PROJECT / "bin" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Shop:
    """A project that `django-admin startproject` made, outside the repository."""

    def __init__(self, folder: Path, commands: Path) -> None:
        self.folder = folder / "shop"
        self.environ = {"PATH": f"{commands}:{os.environ['PATH']}", "HOME": str(folder)}
        self.started: list[subprocess.Popen[bytes]] = []
        subprocess.run(
            shlex.split(COMMANDS[0][1]), cwd=folder, env=self.environ, check=True, timeout=60
        )

    def write(self, name: str, text: str) -> None:
        """Add to the end of a file of the project."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, command: str) -> None:
        """Start a command that runs until it is told to end."""
        with (self.folder / f"{len(self.started)}.log").open("wb") as log:
            self.started.append(
                subprocess.Popen(
                    shlex.split(command),
                    cwd=self.folder,
                    env=self.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def ended(self) -> str:
        """What the processes said, once one of them has ended."""
        return self.output() if any(one.poll() is not None for one in self.started) else ""

    def output(self) -> str:
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*.log")))

    def stop(self) -> list[int]:
        """SIGTERM to each process; returns their exit codes."""
        for process in self.started:
            process.terminate()
        return [process.wait(30) for process in self.started]

    def python(self, code: str, *arguments: str) -> list[str]:
        """Run a program with the project's settings; returns the lines it prints."""
        ran = self.run(*("python", "-c", code, *arguments), DJANGO_SETTINGS_MODULE="shop.settings")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    def discard(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()


@pytest.fixture
def shop(tmp_path: Path, installed: Path, smtp: SmtpServer) -> Iterator[Shop]:
    """The project of the page's first part; its mails go to the test's SMTP server."""
    shop = Shop(tmp_path, installed)
    shop.write("shop/settings.py", replaced(block("shop/settings.py"), {"1025": smtp.port}))
    yield shop
    shop.discard()
    print(shop.output())  # noqa: T201


@pytest.fixture
def database() -> Iterator[dict[str, object]]:
    """A database of its own, as Django's settings name it."""
    server, name = connection.settings_dict, f"standalone_{uuid.uuid4().hex[:8]}"
    known = {"host": server["HOST"], "port": server["PORT"], "user": server["USER"]}
    with psycopg.connect(
        **known, password=server["PASSWORD"], dbname="postgres", autocommit=True
    ) as server_connection:
        server_connection.execute(f"CREATE DATABASE {name}")
        yield known | {"password": server["PASSWORD"], "name": name}
        server_connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def wire(shop: Shop) -> None:
    for name in ("shop/celery.py", "shop/__init__.py"):
        shop.write(name, block(name))


def delivers(shop: Shop, smtp: SmtpServer) -> None:
    """Run the page's commands, send a mail, and see it arrive."""
    migrate, relay, worker = COMMANDS[1]
    migrated = shop.run(*shlex.split(migrate))
    assert migrated.returncode == 0, migrated.stderr
    shop.start(relay)
    shop.start(worker)

    sent = shop.run(*shlex.split(COMMANDS[2][0]))
    assert sent.returncode == 0, sent.stderr
    wait_until(lambda: smtp.taken, seconds=60, what="the mail", alive=shop.ended)

    assert shop.stop() == [0, 0]
    assert smtp.recipients() == {"somebody@example.com": 1}
    assert smtp.taken[0].sender == "no-reply@shop.example"
    status = shop.run("python", "manage.py", "mail_status")
    assert re.search(r"^uncertain +0 +0$", status.stdout, re.MULTILINE)


def test_a_mail_arrives_with_sqlite_and_a_folder_as_broker(shop: Shop, smtp: SmtpServer):
    wire(shop)

    delivers(shop, smtp)


def test_a_mail_arrives_with_postgresql_and_rabbitmq(
    shop: Shop, smtp: SmtpServer, broker: Broker, database: dict[str, object]
):
    wire(shop)
    names = {
        "amqp://user:password@broker.example:5672/shop": broker.url,
        '"HOST": "database.example"': f'"HOST": "{database["host"]}"',
        '"PORT": 5432': f'"PORT": {database["port"]}',
        '"USER": "shop"': f'"USER": "{database["user"]}"',
        '"PASSWORD": "password"': f'"PASSWORD": "{database["password"]}"',
        '"NAME": "shop"': f'"NAME": "{database["name"]}"',
    }
    shop.write("shop/settings.py", replaced(block("shop/settings.py, in production"), names))

    delivers(shop, smtp)

    assert [broker.has(queue) for queue in ("mail.transactional", "mail.bulk", "mail.dead")] == [
        True
    ] * 3


def test_the_package_works_without_its_extras_and_the_repository(shop: Shop, installed: Path):
    wire(shop)

    place, count, *found = shop.python(IMPORT_ALL, *EXTRAS, "seller")

    assert Path(place).is_relative_to(installed.parent)
    assert int(count) > 80
    assert found == []


def test_its_texts_are_translated(shop: Shop):
    assert shop.python(IN_KOREAN) == ["대기 중"]


def test_the_admin_needs_nothing_but_django(shop: Shop):
    wire(shop)
    shop.run(*shlex.split(COMMANDS[1][0]))

    assert shop.python(SEEN, "/admin/mail/message/", "/admin/mail/message/1/change/") == [
        "/admin/mail/message/ 200 True",
        "/admin/mail/message/1/change/ 200 True",
    ]


def test_the_api_is_an_extra(tmp_path: Path, installed_with_api: Path):
    shop = Shop(tmp_path, installed_with_api)
    wire(shop)
    shop.write("shop/settings.py", block("shop/settings.py"))
    shop.write("shop/settings.py", block("shop/settings.py, with the API"))
    shop.write("shop/urls.py", block("shop/urls.py, with the API"))
    shop.run(*shlex.split(COMMANDS[1][0]))

    assert shop.python(SEEN, "/api/messages/", "/api/messages/1/deliveries/") == [
        "/api/messages/ 200 True",
        "/api/messages/1/deliveries/ 200 False",
    ]


def test_a_project_without_the_celery_app_is_reported(shop: Shop):
    checked = shop.run("python", "manage.py", "check")

    assert checked.returncode == 1
    assert "mail.E010" in checked.stderr
    assert "Traceback" not in checked.stderr


@pytest.mark.parametrize("command", COMMANDS[1][1:])
def test_a_setting_of_no_use_ends_the_start_in_a_sentence(shop: Shop, command: str):
    wire(shop)
    shop.write("shop/settings.py", 'MAIL_TRANSPORTS = "smtp://shop:hunter2@smtp.example:99999"\n')

    ended = shop.run(*shlex.split(command))

    assert ended.returncode == 1
    assert "MAIL_TRANSPORTS has a port that is not 1 to 65535." in ended.stderr
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_page_keeps_its_promise_of_a_few_lines():
    lines = block("shop/settings.py").splitlines()[1:]

    assert len(lines) < 10
    assert len(COMMANDS[1]) == 3
