"""Receivers are called through an HTTP proxy where settings or target say so, within the same
bounds (delivery 6, notifications 5).

The proxy is proxy.py, in a process of its own; the unruly ones are sockets.
"""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Outcome
from pipeline.receiver import Receiver, Reply
from pipeline.targets.answer import judge
from pipeline.targets.http import HttpSender, Request
from pipeline.targets.proxies import proxy_of
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.way import ORDINARY, Way

from builders import NOON
from delivery.receivers import Certificates, Unruly, flood, reset, say, trickle
from waiting import eventually

PATIENCE = {"connect_timeout_seconds": 2.0, "read_timeout_seconds": 5.0}
LOGIN, PASSWORD = "us er:p:w@/", "p:w@/"
IN_URL = "us%20er:p%3Aw%40%2F"
GRANT = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy that asks for a login; `host:port`."""
    port = tmp_path_factory.mktemp("proxy") / "port"
    line = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    line += ["--port-file", str(port), "--basic-auth", LOGIN, "--log-level", "ERROR"]
    line += ["--num-acceptors", "1", "--num-workers", "1"]
    process = subprocess.Popen(line)
    eventually(lambda: port.exists() and port.read_text().strip() != "", "the proxy is there")
    yield f"127.0.0.1:{port.read_text().strip()}"
    process.terminate()
    process.wait(30)


def _sender(**settings: Any) -> HttpSender:
    return HttpSender(DeliverySettings(**{**PATIENCE, **settings}))


def _post(sender: HttpSender, url: str, way: Way = ORDINARY) -> Outcome:
    request = Request(url, b'{"a": 1}', {"content-type": "application/json"})
    outcome = sender.send(request, lambda answer: judge(answer, NOON), way=way)
    assert PASSWORD not in repr(outcome)
    return outcome


# --- a proxy that works --------------------------------------------------------------------------


def test_http_goes_through_the_proxy_of_the_settings(proxy: str, receiver: Receiver) -> None:
    sender = _sender(proxy=f"http://{IN_URL}@{proxy}")
    outcomes = [_post(sender, f"{receiver.url}/hook?a=b") for _ in range(2)]

    assert outcomes == [Delivered(200)] * 2
    first, _ = receiver.callbacks
    assert (first.path, first.body) == ("/hook?a=b", b'{"a": 1}')
    assert "proxy-authorization" not in first.headers
    assert "via" in first.headers


def test_https_goes_through_the_proxy_by_connect(proxy: str, certificates: Certificates) -> None:
    """The receiver's own certificate is checked: the proxy sees nothing of what is sent."""
    ok = say(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    with Unruly(ok, certificates.server()) as server:
        trusting = _sender(proxy=f"http://{IN_URL}@{proxy}", ca_bundle=certificates.ca_bundle)
        delivered = _post(trusting, server.url)
        untrusted = _post(_sender(proxy=f"http://{IN_URL}@{proxy}"), server.url)

    assert delivered == Delivered(200)
    assert isinstance(untrusted, Failed)
    assert "its certificate does not verify" in untrusted.reason


def test_a_connection_through_the_proxy_is_used_again(
    proxy: str, certificates: Certificates
) -> None:
    ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(ok)
            if not connection.recv(65_536):
                return

    sender = _sender(proxy=f"http://{IN_URL}@{proxy}", ca_bundle=certificates.ca_bundle)
    with Unruly(script, certificates.server()) as server:
        outcomes = [_post(sender, server.url) for _ in range(3)]

        assert server.connections == 1
    assert outcomes == [Delivered(200)] * 3


def test_a_targets_own_proxy_and_login_go_before(proxy: str, receiver: Receiver) -> None:
    sender = _sender(proxy="http://127.0.0.1:9")
    way = Way(proxy=f"http://{proxy}", proxy_credentials=LOGIN)

    assert _post(sender, receiver.url, way) == Delivered(200)
    assert isinstance(_post(sender, receiver.url), Failed)
    assert _post(sender, receiver.url, Way(proxy="direct")) == Delivered(200)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", "user:wrong"])
def test_a_proxy_that_wants_another_login_says_so(proxy: str, scheme: str, login: str) -> None:
    """It may be mended, so it is tried again, unlike a receiver's 4xx."""
    way = Way(proxy=f"http://{proxy}", proxy_credentials=login)
    outcome = _post(_sender(), f"{scheme}://127.0.0.1:9/", way)

    assert isinstance(outcome, Failed)
    assert f"proxy http://{proxy}" in outcome.reason


# --- which proxy ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "past"),
    [
        ("127.0.0.1", True),
        ("127.0.0.0/8", True),
        ("127.0.0.1:8080", True),
        ("*", True),
        ("10.0.0.0/8", False),
        ("example.org", False),
    ],
)
def test_no_proxy_is_called_past_it(receiver: Receiver, entry: str, past: bool) -> None:
    outcome = _post(_sender(proxy="http://127.0.0.1:9", no_proxy=(entry,)), receiver.url)

    assert isinstance(outcome, Delivered if past else Failed)


@pytest.mark.parametrize("host", ["example.org", "hooks.example.org"])
@pytest.mark.parametrize("entry", ["example.org", ".example.org", "*.example.org"])
def test_a_name_stands_for_all_below_it(entry: str, host: str) -> None:
    with Receiver() as proxy:
        _post(_sender(proxy=proxy.url, no_proxy=(entry,)), f"http://{host}:9/")

        assert proxy.callbacks == []


@pytest.mark.parametrize("heeded", [True, False])
def test_the_environments_proxy_counts_only_where_the_settings_say_so(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, heeded: bool
) -> None:
    with Receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        monkeypatch.setenv("no_proxy", "10.0.0.0/8,[::1],localhost:80, .example.org")
        outcome = _post(_sender(proxy_from_environment=heeded), receiver.url)

        assert len(proxy.callbacks) == int(heeded)
    assert outcome == Delivered(200)


@pytest.mark.parametrize(
    "url", ["https://proxy:3128", "socks5://proxy:1080", "http://", "http://proxy:0", "http://[x"]
)
def test_what_is_no_http_proxy_is_said_at_the_start(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"delivery\.proxy: .*Write http://host:port"):
        _sender(proxy=url)


def test_a_proxy_is_known_by_its_url() -> None:
    found = proxy_of("http://us%20er:p%3Aw@Proxy:3128/")

    assert (found.who, found.host, found.port) == ("http://proxy:3128", "proxy", 3128)
    assert base64.b64decode(found.authorization.removeprefix("Basic ")) == b"us er:p:w"
    assert "p:w" not in repr(found)
    assert proxy_of("http://u:p@proxy", "other:x:y").authorization == (
        "Basic " + base64.b64encode(b"other:x:y").decode()
    )


# --- a proxy that does not work ------------------------------------------------------------------


def _through(proxy: str, url: str = "https://127.0.0.1:9/", **settings: Any) -> Outcome:
    patience = {"connect_timeout_seconds": 0.4, "read_timeout_seconds": 0.4}
    return _post(_sender(**{**patience, "proxy": proxy, **settings}), url)


def _root(server: Unruly) -> str:
    return server.url.removesuffix("/hook")


class Gate(Unruly):
    """A proxy that reads what it is asked by CONNECT, and then does as its script says."""

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while b"\r\n\r\n" not in data and (part := connection.recv(65_536)):
                data += part
            try:
                self._script(connection)
            except OSError:
                return  # who asked has gone


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "the proxy answered 403"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\n\r\n", "the proxy answered 302"),
        (b"SSH-2.0-OpenSSH\r\n", "what came was not HTTP"),
        (b"", "the connection was closed"),
        (GRANT + b"HTTP/1.1 200 OK\r\n\r\n", "the proxy answered 200"),
    ],
    ids=["403", "502", "302", "babble", "nothing", "more than the answer"],
)
def test_a_proxy_that_does_not_lead_there_has_failed(said: bytes, why: str) -> None:
    with Gate(say(said)) as gate:
        outcome = _through(_root(gate))

    assert isinstance(outcome, Failed)
    assert why in outcome.reason


@pytest.mark.parametrize(
    ("head", "drop"), [(b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n")], ids=["line", "headers"]
)
def test_a_proxy_that_trickles_is_not_waited_for_for_ever(
    ended: threading.Event, head: bytes, drop: bytes
) -> None:
    with Gate(trickle(head, drop, ended)) as gate:
        outcome = _through(_root(gate))

    assert isinstance(outcome, Failed)


def test_a_proxy_that_floods_is_not_waited_for_for_ever(ended: threading.Event) -> None:
    with Gate(flood(b"HTTP/1.1 200 OK\r\nx: ", ended)) as gate:
        outcome = _through(_root(gate))

    assert isinstance(outcome, Failed)


def test_a_proxy_that_hangs_or_resets_has_failed(ended: threading.Event) -> None:
    with Gate(lambda connection: (ended.wait(60), None)[1]) as gate:
        hung = _through(_root(gate))
    with Gate(reset) as gate:
        broken = _through(_root(gate))

    assert isinstance(hung, Failed)
    assert hung.reason.endswith("within 0.4 s")
    assert isinstance(broken, Failed)
    assert broken.reason.endswith("connection reset by peer")


def test_a_proxy_that_is_not_there_is_named(receiver: Receiver) -> None:
    outcome = _through("http://user:s3cr3t@127.0.0.1:9", receiver.url)

    assert outcome == Failed(
        f"cannot connect to the proxy http://127.0.0.1:9 (for {receiver.url}): connection refused"
    )


def test_a_proxy_that_repeats_its_login_gives_nothing_away(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"user:s3cr3t-long-enough").decode()
    login = "user:s3cr3t-long-enough"
    page = Reply(500, body=f"you said {encoded}, that is {login}".encode())
    with Receiver(answer=lambda callback: page) as proxy:
        given = f"http://{login}@{proxy.url.removeprefix('http://')}"
        outcome = _through(given, "http://127.0.0.1:9/")

    assert isinstance(outcome, Failed)
    assert "s3cr3t" not in outcome.response_head
    assert encoded not in outcome.response_head
