#!/usr/bin/env python
"""Django's command line for Moa."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run one management command; a misconfiguration ends with its sentence and exit code 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moa.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Moa cannot start: {error}")


if __name__ == "__main__":
    main()
