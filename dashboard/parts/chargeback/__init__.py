"""What is charged, who is behind bursts and retries, and how far the ledger is."""
