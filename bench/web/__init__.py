"""An app that changes what the shop does about a receipt, to measure its cost."""
