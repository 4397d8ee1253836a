"""The client with which verbs ask a service."""

from __future__ import annotations

import ssl

import httpx

__all__ = ["connect"]


def connect(url: str, api_key: str | None, *, timeout_s: float) -> httpx.Client:
    """A client, to be closed. It trusts what the system trusts (SSL_CERT_FILE) and takes no proxy from the environment.

    Raises httpx.InvalidURL, or UnicodeEncodeError for a key that no header can carry.
    """
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        timeout=timeout_s,
        verify=ssl.create_default_context(),
        trust_env=False,
    )
