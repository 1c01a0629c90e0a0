"""The row with the full disk: what becomes of it where nobody may mount."""

from pathlib import Path

import pytest

from chaos import matrix
from chaos.disk import CannotMount, SmallDisk
from chaos.matrix_rows import Row
from chaos.scene import NotRun


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `mount` that says no, as it does to all but root."""
    mount = tmp_path / "mount"
    mount.write_text("#!/bin/sh\necho must be superuser >&2\nexit 1\n")
    mount.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_machine_that_refuses_to_mount_is_reported(refusing: None, tmp_path: Path):
    with pytest.raises(CannotMount, match="must be superuser"):
        SmallDisk(tmp_path / "disk", owner=None).__enter__()


def test_a_row_that_cannot_run_is_no_success(capsys: pytest.CaptureFixture[str]):
    def act(*_: object) -> str:
        raise NotRun("no tmpfs")

    (found,) = matrix._rows(None, [Row("disk", act, 1)], [1])  # type: ignore[arg-type]

    assert (found["as_expected"], found["not_run"], found["seen"]) == (False, True, "no tmpfs")
    assert capsys.readouterr().out.startswith("NOT RUN")
