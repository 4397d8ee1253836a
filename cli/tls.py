"""TLS: the certificate that a service shows, read and proved to fit its key before anything starts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Certificate", "CertificateError"]


class CertificateError(Exception):
    """A certificate that cannot be used; its text says which file, why and what to do."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key: two files, both PEM."""

    chain: Path
    key: Path

    @classmethod
    def of(cls, chain: Path | None, key: Path | None) -> Certificate | None:
        """The pair, where both are named and fit; None where neither is. Raises CertificateError."""
        if chain is None and key is None:
            return None
        if chain is None or key is None:
            given, missing = ("--tls-cert", "--tls-key") if key is None else ("--tls-key", "--tls-cert")
            raise CertificateError(f"{given} needs {missing} beside it")
        pair = cls(chain, key)
        pair.context()
        return pair

    def context(self) -> ssl.SSLContext:
        """What HTTP is served with. Raises CertificateError."""
        for file in (self.chain, self.key):
            _read(file)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            # An empty password, so that a key with one is an error and not a question at the terminal.
            context.load_cert_chain(self.chain, self.key, password="")
        except ssl.SSLError as problem:
            raise CertificateError(self._reason(problem)) from problem
        return context

    def pem(self) -> tuple[bytes, bytes]:
        """What gRPC is served with: the chain and the key. Raises CertificateError."""
        return _read(self.chain), _read(self.key)

    def _reason(self, problem: ssl.SSLError) -> str:
        if problem.reason == "KEY_VALUES_MISMATCH":
            return f"the key in {self.key} is not that of the certificate in {self.chain}; name a pair"
        if b"ENCRYPTED" in _read(self.key):
            return f"the key in {self.key} has a password; write it without: openssl pkey -in {self.key}"
        return f"{self.chain} and {self.key} hold no certificate and key as PEM ({problem.reason})"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise CertificateError(f"{file}: {problem.strerror}; name a PEM file that can be read") from problem
