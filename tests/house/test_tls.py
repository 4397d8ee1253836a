"""TLS by configuration: HTTP and gRPC with one certificate, and one clear line where it cannot be used."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest
from commands import Run, Start, listening
from serving import free_ports

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def _openssl(*arguments: str, cwd: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here to make certificates with: TLS was not tried")
    subprocess.run([program, *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate of this machine, its key, the same key with a password, another key, and text."""
    folder = tmp_path_factory.mktemp("certificates")
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("own", "other"):
        _openssl(*request, *names, "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=folder)
    _openssl("pkey", "-in", "own.key", "-aes256", "-passout", "pass:x", "-out", "locked.key", cwd=folder)
    (folder / "text.pem").write_text("no certificate\n")
    return folder


def _pair(folder: Path, chain: str, key: str) -> tuple[str, ...]:
    return ("--tls-cert", str(folder / chain), "--tls-key", str(folder / key))


def test_a_collector_with_a_certificate_takes_http_and_grpc_over_tls_only(
    start: Start, run: Run, certificates: Path
) -> None:
    port, grpc_port = free_ports(2)
    ports = ("--port", str(port), "--grpc-port", str(grpc_port))
    process = start("serve", "collector", *ports, *_pair(certificates, "own.pem", "own.key"))
    assert f"https://127.0.0.1:{port}" in listening(process)[-1]
    trust = ssl.create_default_context(cafile=certificates / "own.pem")
    url = f"https://127.0.0.1:{port}/readyz"
    assert httpx.get(url, verify=trust, timeout=30, trust_env=False).status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30, trust_env=False)

    ask = ("query", "select 1", "--collector", f"https://localhost:{port}")
    assert run(*ask, env={"SSL_CERT_FILE": str(certificates / "own.pem")}).returncode == 0
    refused = run(*ask)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1), refused.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr

    credentials = grpc.ssl_channel_credentials((certificates / "own.pem").read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{grpc_port}", credentials) as channel:
        assert channel.unary_unary(TRACES)(b"", timeout=30) == b""
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(TRACES)(b"", timeout=30)


def test_the_policies_are_served_over_tls_by_the_environment(start: Start, certificates: Path) -> None:
    (port,) = free_ports(1)
    named = {
        "SWITCHGEAR_TLS_CERT": str(certificates / "own.pem"),
        "SWITCHGEAR_TLS_KEY": str(certificates / "own.key"),
    }
    process = start("serve", "policies", "--port", str(port), env=named)
    assert f"https://127.0.0.1:{port}" in listening(process)[-1]
    trust = ssl.create_default_context(cafile=certificates / "own.pem")
    url = f"https://127.0.0.1:{port}/healthz"
    assert httpx.get(url, verify=trust, timeout=30, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("chain", "key", "reason"),
    [
        ("own.pem", "other.key", "other.key is not that of the certificate in"),
        ("own.pem", "none.key", "none.key: No such file or directory"),
        ("text.pem", "own.key", "hold no certificate and key as PEM"),
        ("own.pem", "locked.key", "locked.key has a password"),
    ],
    ids=["another key", "no file", "no certificate", "a password"],
)
def test_a_pair_that_cannot_be_used_is_one_line(
    run: Run, certificates: Path, chain: str, key: str, reason: str
) -> None:
    answer = run("serve", "policies", *_pair(certificates, chain, key))
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1), answer.stderr
    assert answer.stderr.startswith("switchgear: policies: ")
    assert reason in answer.stderr


def test_a_certificate_without_its_key_is_one_line(run: Run) -> None:
    answer = run("serve", "collector", "--tls-cert", "own.pem")
    assert (answer.returncode, answer.stderr) == (
        1,
        "switchgear: collector: --tls-cert needs --tls-key beside it\n",
    )


def test_up_says_that_it_serves_without_tls(run: Run) -> None:
    answer = run("up", env={"SWITCHGEAR_TLS_CERT": "own.pem"})
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1), answer.stderr
    assert "switchgear serve" in answer.stderr
