"""The plan, the recovery times and the other figures of a chaos run.

python3 bin/test tests/unit/chaos
"""
