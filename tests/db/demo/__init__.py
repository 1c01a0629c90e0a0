"""The catcher with its inbox, and the sample data: `python3 bin/test tests/db/demo`."""
