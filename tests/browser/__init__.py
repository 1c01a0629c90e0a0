"""The admin as a browser shows it, on Chromium: `python3 bin/test tests/browser`."""
