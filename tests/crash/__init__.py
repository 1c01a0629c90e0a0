"""Processes that are killed or paused at an exact line: `python3 bin/test tests/crash`.

README.md explains how a process is made to stop.
"""
