"""The life of mail as a pure model, and a state machine that drives it beside the real functions.

    python -m pytest tests/model                                a minute or two
    python -m pytest tests/model --hypothesis-profile=long      2,000 examples of 50 steps

`--hypothesis-seed=N` repeats a run; without it the seed is that of the day. On SQLite it is
fastest with MOA_VAR on a memory disk; with DATABASE_URL it runs on PostgreSQL.
"""
