"""The ledger: what is charged to whom, as lines that add up, and as entries that never change."""
