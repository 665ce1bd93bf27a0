"""`rediss://` speaks to the server that it means and to no other, outwards and inwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from pipeline import publishers
from pipeline.errors import PublishFailed
from pipeline.listeners.bus import BusListener, BusSettings

from builders import an_event
from listeners.contract import RecordingWorker
from ports import lasting_port
from publishers.sinks import QUICK
from waiting import eventually, running


@pytest.fixture
def port(tmp_path: Path, skip_without: Callable[..., Any]) -> Iterator[int]:
    """A Redis that speaks TLS only, as `localhost`; its authority is in `ca.pem`."""
    if shutil.which("redis-server") is None:
        skip_without(
            FileNotFoundError("no program redis-server"),
            variable="PATH",
            default="the program redis-server",
            promises="a rediss:// publisher publishes to no stranger",
            start="apt-get install redis-server",
        )
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    number = lasting_port()
    options = (
        f"--port 0 --tls-port {number} --bind 127.0.0.1 --save --appendonly no"
        " --tls-cert-file cert.pem --tls-key-file key.pem --tls-auth-clients no"
    )
    with subprocess.Popen(
        ["redis-server", *options.split(), "--dir", str(tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            eventually(lambda: _answers(number), "Redis answers")
            yield number
        finally:
            server.kill()


def test_rediss_publishes_to_a_server_that_an_authority_of_ours_vouches_for(
    port: int, tmp_path: Path
) -> None:
    url = f"rediss://localhost:{port}/0?queue=events&tls_ca_file={tmp_path}/ca.pem"
    with closing(publishers.from_url(url, QUICK)) as publisher:
        publisher.publish([an_event(), an_event()])
    with redis.Redis(
        host="localhost", port=port, ssl=True, ssl_ca_certs=f"{tmp_path}/ca.pem", socket_timeout=5
    ) as client:
        assert client.llen("events") == 2


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        pytest.param("localhost", "", id="its authority is nobody we know"),
        pytest.param("127.0.0.1", "&tls_ca_file={}/ca.pem", id="its certificate is for another"),
    ],
)
def test_rediss_publishes_nothing_to_a_stranger(
    port: int, tmp_path: Path, host: str, trusted: str
) -> None:
    url = f"rediss://{host}:{port}/0?queue=events{trusted.format(tmp_path)}"
    with (
        closing(publishers.from_url(url, QUICK)) as publisher,
        pytest.raises(PublishFailed, match=r"(?i)certificate"),
    ):
        publisher.publish([an_event()])


def test_rediss_listens_to_a_server_that_an_authority_of_ours_vouches_for(
    port: int, tmp_path: Path
) -> None:
    settings = BusSettings(tls_ca_file=f"{tmp_path}/ca.pem", poll_seconds=0.01)
    bus = BusListener(settings, f"rediss://localhost:{port}/0", RecordingWorker())
    with running(bus):
        eventually(lambda: bus.trouble() == "", "it listens")


@pytest.mark.parametrize(("host", "ca_file"), [("localhost", None), ("127.0.0.1", "{}/ca.pem")])
def test_rediss_listens_to_no_stranger(
    port: int, tmp_path: Path, host: str, ca_file: str | None
) -> None:
    trusted = ca_file.format(tmp_path) if ca_file else None
    settings = BusSettings(tls_ca_file=trusted, reconnect_min_seconds=0.05)
    bus = BusListener(settings, f"rediss://{host}:{port}/0", RecordingWorker())
    with running(bus):
        eventually(lambda: "certificate" in bus.trouble().lower(), "the refusal")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
