"""Formats: a message as a signed webhook, as Slack takes it, and as a letter. Bytes and headers; nothing is sent here.

Webhooks are signed as Standard Webhooks 1.0.0 has it (symmetric, `v1`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from email.message import EmailMessage
from email.policy import SMTP

import orjson

from .messages import Message
from .model import Mail

__all__ = ["letter", "signature", "signing_key", "slack", "webhook"]

_PREFIX = "whsec_"
_KEY_BYTES = (24, 64)


def signing_key(secret: str) -> bytes:
    """The key in a secret: "whsec_" and base64 of 24 to 64 bytes. Raises ValueError, which does not tell it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
        raise ValueError(
            f'is no signing secret; it is "{_PREFIX}" and {_KEY_BYTES[0]} to {_KEY_BYTES[1]} random bytes in base64'
        )
    return key


def signature(keys: Iterable[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The header's value: a signature over id, time and body for each key, apart by spaces."""
    signed = f"{id_}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def webhook(message: Message, keys: Iterable[bytes], now: float) -> tuple[dict[str, str], bytes]:
    """Headers and body of a try at `now` (seconds since the epoch). The body and the id are the same at each try."""
    body = orjson.dumps({"type": message.type, "timestamp": message.at.isoformat(), "data": message.data})
    headers = {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature(keys, message.id, int(now), body),
    }
    return headers, body


def slack(message: Message) -> tuple[dict[str, str], bytes]:
    """Headers and body of an incoming webhook: text that no name in it turns into a link, a mention or markup."""
    text = "\n".join((message.subject, *(f"• {line}" for line in message.lines)))
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, entity)
    # Slack's own mentions need a "<"; others that take its format also read "@channel". A space of no width ends that.
    text = text.replace("@", "@\u200b")
    plain = {
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return {"content-type": "application/json"}, orjson.dumps({"text": text, **plain})


def letter(message: Message, mail: Mail) -> EmailMessage:
    """The message as mail. A line end in a header is an error of the library; there is none in what we write there."""
    found = EmailMessage(policy=SMTP)
    found["From"] = mail.sender
    found["To"] = ", ".join(mail.to)
    found["Subject"] = message.subject
    found["Date"] = message.at
    found["Message-ID"] = f"<{message.id}@{mail.sender.rpartition('@')[2]}>"
    # So that no absence note comes back.
    found["Auto-Submitted"] = "auto-generated"
    found.set_content("\n\n".join(message.lines) + "\n")
    return found
