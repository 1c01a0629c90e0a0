"""The settings of the test run: those of the shop, with embedded defaults and a folder of its own.

DATABASE_URL may name a PostgreSQL server; its databases are not touched, but for `test_…`.
"""

import os
from pathlib import Path

VAR = Path(__file__).resolve().parent.parent / "var" / "tests"

os.environ.setdefault("DEBUG", "true")
os.environ.setdefault("MOA_VAR", str(VAR))

from moa.settings import *  # noqa: E402, F403
from moa.settings import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as the shop has it: in memory, SQLite locks and shares in another way.
    DATABASES["default"]["TEST"] = {"NAME": f"{os.environ['MOA_VAR']}/test.sqlite3"}
    # No test simulates a power failure, so nothing needs to reach the disk.
    options = DATABASES["default"]["OPTIONS"]
    commands = f"{options['init_command']} PRAGMA synchronous=OFF;"
    DATABASES["default"]["OPTIONS"] = options | {"init_command": commands}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = f"{os.environ['MOA_VAR']}/static"  # as `collectstatic` would have made it
Path(STATIC_ROOT).mkdir(parents=True, exist_ok=True)
