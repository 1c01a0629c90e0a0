"""The ledger: every change of a Delivery's state, with the counts of its Message beside it.

Both halves of mail meet here and in `mail.models`. `states` says which state may follow which,
`changes` what a transition writes, `transitions` carries it out. Imports `mail.models` only.
"""
