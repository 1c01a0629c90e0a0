import importlib.util
import json
import sys
from pathlib import Path

import pytest
from django.conf import settings

FILE = settings.BASE_DIR / "bin" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch):
    """The module as `bin/up` imports it, fresh, on a machine without uv."""
    spec = importlib.util.spec_from_file_location("bootstrap", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "uv", lambda: "")
    monkeypatch.delenv(module.DJANGO, raising=False)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("celery==5.7.0\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    (tmp_path / "constraints.txt").write_text("celery==5.7.0\npytest==9.2.0\n")
    return tmp_path


@pytest.fixture
def done(bootstrap, monkeypatch) -> list[str]:
    """What would have been run, `make` or `install FILE`; nothing is."""
    commands = []

    def run(command: list[str]) -> None:
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
            commands.append("make")
        else:
            commands.append(f"install {Path(command[command.index('-r') + 1]).name}")

    monkeypatch.setattr(bootstrap, "run", run)
    return commands


def test_the_first_start_makes_the_environment(bootstrap, project, done):
    python = bootstrap.environment("requirements.txt", project)

    assert python == project / ".venv" / "bin" / "python"
    assert done == ["make", "install requirements.txt"]


def test_the_second_start_has_nothing_to_do(bootstrap, project, done):
    bootstrap.environment("requirements.txt", project)
    done.clear()

    bootstrap.environment("requirements.txt", project)

    assert done == []


def test_another_django_has_an_environment_with_its_own_pins(
    bootstrap, project, done, monkeypatch
):
    (project / "requirements.txt").write_text("# pinned\nDjango==5.2.19\ncelery==5.7.0\n")
    (project / "constraints-django-6.1.txt").write_text("# instead\ndjango==6.1.3\n")
    monkeypatch.setenv(bootstrap.DJANGO, "6.1")

    python = bootstrap.environment("requirements-dev.txt", project)

    folder = project / ".venv-6.1"
    assert python == folder / "bin" / "python"
    assert done == ["make", "install moa-r.txt"]
    assert (folder / "moa-r.txt").read_text().split() == [
        *("pytest==9.2.0", "django==6.1.3", "celery==5.7.0")
    ]


def test_a_changed_pin_is_reinstalled(bootstrap, project, done, monkeypatch):
    changes = project / "constraints-django-6.1.txt"
    changes.write_text("celery==5.7.0\n")
    monkeypatch.setenv(bootstrap.DJANGO, "6.1")
    bootstrap.environment("requirements.txt", project)
    done.clear()

    changes.write_text("celery==5.7.1\n")
    bootstrap.environment("requirements.txt", project)

    assert done == ["install moa-r.txt"]


def test_development_requirements_include_the_others(bootstrap, project, done):
    bootstrap.environment("requirements-dev.txt", project)
    done.clear()

    bootstrap.environment("requirements.txt", project)

    assert done == []


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_a_changed_file_is_installed_into_the_same_environment(bootstrap, project, done, name):
    bootstrap.environment("requirements.txt", project)
    done.clear()
    (project / name).write_text("celery==5.7.1\n")

    bootstrap.environment("requirements.txt", project)

    assert done == ["install requirements.txt"]


def test_an_interrupted_start_is_repeated(bootstrap, project, done, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.environment("requirements.txt", project)
    done.clear()

    bootstrap.environment("requirements.txt", project)

    assert done == ["make", "install requirements.txt"]


def test_another_python_has_another_environment(bootstrap, project, done):
    bootstrap.environment("requirements.txt", project)
    stamp = project / ".venv" / "moa.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"python": "3.11.0"}))
    done.clear()

    bootstrap.environment("requirements.txt", project)

    assert done == ["make", "install requirements.txt"]


def test_an_environment_whose_python_is_gone_is_recreated(bootstrap, project, done):
    bootstrap.environment("requirements.txt", project).unlink()
    done.clear()

    bootstrap.environment("requirements.txt", project)

    assert done == ["make", "install requirements.txt"]


def test_an_old_python_is_reported(bootstrap, project, done, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "NEEDED", (99, 0))

    with pytest.raises(SystemExit) as ended:
        bootstrap.environment("requirements.txt", project)

    assert ended.value.code == 3
    assert "Moa needs Python 3.11 or newer" in capsys.readouterr().err
    assert done == []


def test_without_ensurepip_it_says_what_to_run(bootstrap, project, done, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)

    with pytest.raises(SystemExit) as ended:
        bootstrap.environment("requirements.txt", project)

    assert ended.value.code == 3
    assert "apt-get install -y python3-venv" in capsys.readouterr().err


def test_a_failed_command_shows_what_it_said(bootstrap, capsys):
    with pytest.raises(SystemExit) as ended:
        bootstrap.run([sys.executable, "-c", "print('no such index'); raise SystemExit(1)"])

    assert ended.value.code == 3
    assert "no such index" in capsys.readouterr().err
