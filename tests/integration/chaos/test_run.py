"""One short run of real processes under a seed, as continuous integration has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.rabbitmq
def test_twelve_kills_lose_nothing(tmp_path):
    """I1–I13: PostgreSQL, RabbitMQ, SMTP, web, relays, workers; seed 1."""
    command = [sys.executable, "-m", "chaos", "run", "--seed=1", "--kills=12"]
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}

    ran = subprocess.run(
        [*command, f"--out={tmp_path}/result.json"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
    )

    print(ran.stdout, ran.stderr)  # noqa: T201
    assert ran.returncode == 0
