"""Channels: one try to deliver a message, by HTTP or SMTP. Whether and when to try again is for others to say."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from email.message import EmailMessage
from functools import partial
from typing import Protocol

import httpx

from . import formats
from .addresses import Network
from .dial import CheckedTransport, Dialler, RefusedAddressError
from .messages import Message, one_line
from .model import Mail, Slack, Tls, Webhook

__all__ = ["Channel", "DeliveryError", "channel"]

_log = logging.getLogger(__name__)
_TRY_S = 15.0
_STEP_S = 5.0
_SAID_BYTES, _SAID_CHARS = 500, 200
# Of what a receiver may answer, what is said of this message, at whatever time it comes.
_NOT_TAKEN = frozenset({400, 410, 413, 422})


class DeliveryError(Exception):
    """A message was not delivered, and why. `final`: nor will it be. `after_s`: when the receiver wants it again."""

    def __init__(self, why: str, *, final: bool = False, after_s: float | None = None) -> None:
        super().__init__(why)
        self.final = final
        self.after_s = after_s


class Channel(Protocol):
    """A way to one destination."""

    async def send(self, message: Message, now: float) -> None:
        """Deliver at `now`, seconds since the epoch. Raises DeliveryError, which tells no secret."""

    async def close(self) -> None:
        """Leave nothing open."""


def channel(way: Webhook | Slack | Mail, allowed: Iterable[Network], tls: ssl.SSLContext) -> Channel:
    """What delivers in this way; `tls` says whose certificates are trusted."""
    dialler = Dialler(allowed)
    match way:
        case Webhook(url, keys):
            return _Http(url, lambda message, now: formats.webhook(message, keys, now), dialler, tls)
        case Slack(url):
            return _Http(url, lambda message, _: formats.slack(message), dialler, tls)
        case Mail():
            return _Smtp(way, dialler, tls)


class _Http:
    """POST to one URL; redirects are answers like any other that is not 2xx."""

    def __init__(
        self,
        url: str,
        format_: Callable[[Message, float], tuple[dict[str, str], bytes]],
        dialler: Dialler,
        tls: ssl.SSLContext,
    ) -> None:
        self._url, self._format, self._dialler = url, format_, dialler
        self._client = httpx.AsyncClient(
            transport=CheckedTransport(dialler, tls),
            headers={"user-agent": "switchgear"},
            timeout=_STEP_S,
            trust_env=False,
            follow_redirects=False,
        )

    async def send(self, message: Message, now: float) -> None:
        headers, body = self._format(message, now)
        try:
            async with (
                asyncio.timeout(_TRY_S),
                self._client.stream("POST", self._url, content=body, headers=headers) as reply,
            ):
                if not reply.is_success:
                    raise _refused(reply, await _begin(reply))
        except TimeoutError:
            raise DeliveryError(f"no answer within {_TRY_S:g} s") from None
        except (httpx.HTTPError, OSError, RefusedAddressError) as error:
            raise DeliveryError(_told(error)) from None

    async def close(self) -> None:
        await self._client.aclose()
        self._dialler.close()


def _refused(reply: httpx.Response, said: str) -> DeliveryError:
    told = f"answered {reply.status_code}{': ' if said else ''}{said}"
    if reply.is_redirect:
        told = f"answered {reply.status_code}; redirects are not followed: write the address that it leads to"
    after = reply.headers.get("retry-after", "")
    return DeliveryError(
        told,
        final=reply.status_code in _NOT_TAKEN,
        after_s=float(after) if after.isascii() and after.isdigit() else None,
    )


async def _begin(reply: httpx.Response) -> str:
    """How an answer begins: whoever it is may send without end."""
    said = b""
    async for part in reply.aiter_raw():
        said += part
        if len(said) >= _SAID_BYTES:
            break
    return one_line(said[:_SAID_BYTES].decode("utf-8", "replace"), _SAID_CHARS)


class _Smtp:
    """A letter to one server, which is spoken with in a thread."""

    def __init__(self, mail: Mail, dialler: Dialler, tls: ssl.SSLContext) -> None:
        self._mail, self._dialler, self._tls = mail, dialler, tls

    async def send(self, message: Message, now: float) -> None:
        letter, mail = formats.letter(message, self._mail), self._mail
        talks: list[smtplib.SMTP] = []
        try:
            async with asyncio.timeout(_TRY_S):
                encrypted = mail.tls is not Tls.NONE
                found = await self._dialler.addresses(mail.server, mail.port, encrypted=encrypted)
                deliver = partial(self._deliver, letter, found, talks)
                await asyncio.get_running_loop().run_in_executor(self._dialler.thread, deliver)
        except TimeoutError:
            raise DeliveryError(f"not taken within {_TRY_S:g} s") from None
        except (smtplib.SMTPException, OSError, RefusedAddressError) as error:
            raise DeliveryError(_told(error), final=_is_final(error)) from None
        finally:
            # Who does not wait any more leaves no thread behind that does.
            for talk in talks:
                _hang_up(talk)

    async def close(self) -> None:
        self._dialler.close()

    def _deliver(self, letter: EmailMessage, found: Sequence[str], talks: list[smtplib.SMTP]) -> None:
        mail = self._mail
        talk = _Talk(mail, found, self._tls if mail.tls is Tls.TLS else None)
        talks.append(talk)
        try:
            if mail.tls is Tls.STARTTLS:
                talk.starttls(context=self._tls)
            if mail.login is not None:
                talk.login(*mail.login)
            unknown = talk.send_message(letter, mail.sender, mail.to)
            if unknown:
                _log.warning("notices: %d of %d recipients were refused", len(unknown), len(mail.to))
            # It is delivered, whatever becomes of the farewell.
            with suppress(smtplib.SMTPException, OSError):
                talk.quit()
        finally:
            talk.close()


class _Talk(smtplib.SMTP):
    """A session with a server at one of the addresses that were judged, encrypted from the first byte on with `tls`."""

    def __init__(self, mail: Mail, found: Sequence[str], tls: ssl.SSLContext | None) -> None:
        self._found, self._from_the_first = found, tls
        # Its own name would be looked up, which can take long; the sender's domain is one that the server knows.
        domain = mail.sender.rpartition("@")[2]
        super().__init__(mail.server, mail.port, local_hostname=domain, timeout=_STEP_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Called once, by `connect`, as its TLS kind's is."""
        plain = self._connected(port, timeout)
        if self._from_the_first is None:
            return plain
        return self._from_the_first.wrap_socket(plain, server_hostname=host)

    def _connected(self, port: int, timeout: float) -> socket.socket:
        for address in self._found[:-1]:
            with suppress(OSError):
                return socket.create_connection((address, port), timeout)
        return socket.create_connection((self._found[-1], port), timeout)


def _hang_up(talk: smtplib.SMTP) -> None:
    line = talk.sock
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def _is_final(error: Exception) -> bool:
    """Whether the server will not take this letter, as opposed to: not now, or not from this login."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code >= 500


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return one_line(f"the server answered {error.smtp_code}: {text}", _SAID_CHARS)
    return one_line(str(error) or type(error).__name__, _SAID_CHARS)
