"""Caching: what a cache of answers saves, less what its wrong answers and its audits take from it."""
