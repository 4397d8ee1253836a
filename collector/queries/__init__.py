"""Queries: what is read, by whom, in which process and for how long."""
