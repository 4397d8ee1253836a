"""Merging: which spans tell of one call, and the record that they make together."""
