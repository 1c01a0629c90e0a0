"""Shared by tests, chaos runs and the benchmark; each part stops only what it started.

- Servers: `postgresql`, `rabbitmq`, and `smtp` with its faults, in a thread; `smtp_process` is the
  same server as a process.
- Processes: `sessions` starts and signals them, `processes` are Moa's, `steered` those
  that accept orders; `ports` has free ports and `wait_until`.
- Outcomes: `shop` and `broker` create and inspect, `waiting` and `ledger` read the rows,
  `balance` compares what was requested with what is on record and what arrived.

May import `demo` and the apps, but no test, `chaos` or `bench`. `bin/test` imports the servers
before an environment exists, so they use only Python's standard library.
"""
