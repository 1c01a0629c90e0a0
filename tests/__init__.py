"""The tests, by what they need; the commands are those of `bin/test`.

- `unit`: no database, seconds.
- `db`: one database, a minute.
- `integration`, `crash`, `model`, `browser`: all of Moa, on real servers; only in a full run.
- `harness`: shared by tests, chaos runs and the benchmark; no tests.
"""
