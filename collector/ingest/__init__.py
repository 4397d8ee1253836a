"""Ingest: the ways in, and what stands between a request and the journal."""
