"""The tests, by what they need; the commands are those of `bin/test`.

- `unit`: no database, seconds.
- `db`: one database, a minute.
- `integration`, `crash`, `model`, `browser`: all of Moa, on real servers; in the whole run only.
- `harness`: what tests, chaos runs and the benchmark share; no tests.
"""
