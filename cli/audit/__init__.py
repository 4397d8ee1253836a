"""Audits: what to mend, found in the calls of a range. Each module is one audit; `calls` reads what they look at."""
