"""What tests, chaos runs and the benchmark share; each ends only what it started.

- Servers: `postgresql`, `rabbitmq`, and `smtp` with its faults, in a thread; `smtp_process` is the
  same server as a process.
- Processes: `sessions` starts and signals them, `processes` are those of Moa, `steered` those
  that take orders; `ports` has free ports and the one `wait_until`.
- What came of it: `shop` and `broker` make and look, `waiting` and `ledger` read the rows,
  `balance` weighs what was wanted against what is on record and what arrived.

It may import `demo` and the apps, and no test, `chaos` or `bench`. `bin/test` imports the servers
before there is an environment, so they need nothing but Python's standard library.
"""
