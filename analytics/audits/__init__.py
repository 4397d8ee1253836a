"""Audits: what to mend, found in the calls of a range. Each module is one audit; `named` has them by name."""
