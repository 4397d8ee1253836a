"""Audits: what to mend, found in the calls of a range. Each module is one audit."""
