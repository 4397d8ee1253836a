"""Sandbox: the process in which a user's SQL runs, and what it and the collector say to each other.

It holds no file, no secret and no row but those that the collector sends it for one question.
"""
