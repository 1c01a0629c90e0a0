"""`python -m bench`: how fast Moa is, compared with its peers and with the limit.

Runs with any Python 3.11 or newer: it creates its own environment, `.venv-bench`, and starts
private servers with their own ports and folders, which it removes at the end.
"""

import os
import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ".venv-bench"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")  # not the shop's own variables


def main() -> int:
    if Path(sys.prefix) != PROJECT / ENVIRONMENT:
        enter()
    os.chdir(PROJECT)
    from bench import program

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return program.main(sys.argv[1:])


def enter() -> None:
    """Create the environment and continue in it as another program."""
    sys.path.insert(0, str(PROJECT / "bin"))
    import bootstrap

    python = bootstrap.environment("bench/requirements.txt", folder=ENVIRONMENT)
    environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environ |= {"PYTHONPATH": str(PROJECT)}
    os.execve(python, [str(python), "-m", "bench", *sys.argv[1:]], environ)  # noqa: S606


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
