"""The life of mail as a pure model, and a state machine that compares it with the real functions.

    python3 bin/test tests/model                                  the same 200 examples each time
    python -m tests.model --examples 2000 --steps 50 --seed 1     the large search; writes JSON
    python -m tests.model --controls                              seeded bugs, each to be found

- `ledger.py` is the model, pure: `step(ledger, event)`, and `check(ledger)` after every step.
- `machine.py` has the rules (what may happen) and the invariants; `world.py` lets the real
  functions run between them and tells the model what they did; `outside.py` is broker, SMTP
  server and clock; `slots.py` the workers, which park or die at named points.
- `search.py` runs it, `visited.py` counts what it reached, `bugs.py` has the seeded bugs.

MODEL_EXAMPLES, MODEL_STEPS and MODEL_SEED make the test another or larger one.
"""
