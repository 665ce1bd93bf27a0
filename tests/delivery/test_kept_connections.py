"""One answer is never taken for another's, whatever is left on a connection (delivery 1, 3)."""

from __future__ import annotations

import socket
import threading

import pytest

from pipeline.notification import Delivered, Failed, Outcome, Refused
from pipeline.receiver import Receiver
from pipeline.targets import connection as connections
from pipeline.targets.answer import judge
from pipeline.targets.http import HttpSender, Request
from pipeline.targets.settings import DeliverySettings

from builders import NOON
from delivery.receivers import PATIENCE, Certificates, Unruly, read_request
from waiting import eventually

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


def _post(sender: HttpSender, url: str) -> Outcome:
    request = Request(url, b"{}", {"content-type": "application/json"})
    return sender.send(request, lambda answer: judge(answer, NOON))


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_an_interim_answer_is_not_the_answer(sender: HttpSender, status: str) -> None:
    interim = f"HTTP/1.1 {status}\r\nlink: </style.css>\r\n\r\n".encode()

    def script(connection: socket.socket) -> None:
        connection.sendall(interim * 2 + OK)
        read_request(connection)
        connection.sendall(interim)
        connection.sendall(REFUSED)

    with Unruly(script) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 1
    assert [type(outcome) for outcome in outcomes] == [Delivered, Refused]
    assert outcomes[1].status == 400


def test_interim_answers_alone_are_not_waited_for_for_ever(
    sender: HttpSender, ended: threading.Event
) -> None:
    def script(connection: socket.socket) -> None:
        while not ended.wait(0.02):
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

    with Unruly(script) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Failed)
    assert "no answer" in outcome.reason


def test_a_connection_that_became_another_protocol_is_not_used_again(
    sender: HttpSender, ended: threading.Event
) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n")
        ended.wait(60)

    with Unruly(script) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 2
    assert [type(outcome) for outcome in outcomes] == [Refused, Refused]


def test_a_connection_with_tls_is_used_again(certificates: Certificates) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(OK)
        read_request(connection)
        connection.sendall(REFUSED)

    sender = _tls_sender(certificates)
    with Unruly(script, certificates.server()) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 1
    assert [type(outcome) for outcome in outcomes] == [Delivered, Refused]


def test_what_tls_has_read_beyond_an_answer_is_no_answer(
    certificates: Certificates, ended: threading.Event
) -> None:
    """Bytes that TLS has unpacked already are not seen on the socket any more."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 503 Not Now\r\ncontent-length: 4\r\n\r\n")
        connection.sendall(b"wait" + OK)  # one record
        ended.wait(60)

    sender = _tls_sender(certificates)
    with Unruly(script, certificates.server()) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 2
    assert [type(outcome) for outcome in outcomes] == [Failed, Failed]


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 0\r\ntransfer-encoding: gzip, chunked\r\n",
        b"content-length: 0\r\ncontent-length: 5\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    ],
    ids=["coded", "two lengths", "chunks and length"],
)
def test_a_connection_whose_answer_ends_here_or_there_is_not_used_again(
    sender: HttpSender, ended: threading.Event, framing: bytes
) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
        if framing.startswith(b"transfer"):
            connection.sendall(b"0\r\n\r\n")
        ended.wait(60)

    with Unruly(script) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 2
    assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]


def test_an_address_of_a_family_that_is_switched_off_leaves_the_next(
    sender: HttpSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the kernel has no IPv6 and the name has such an address."""
    unknown = 255
    found = [
        (unknown, socket.SOCK_STREAM, 0, "", ("::1", receiver.port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", (receiver.host, receiver.port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert _post(sender, f"http://two.example.org:{receiver.port}/") == Delivered(200)


def test_no_more_connections_are_kept_than_a_process_may_have(
    sender: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_KEPT_AT_MOST", 3)
    still_open: list[socket.socket] = []

    def script(connection: socket.socket) -> None:
        still_open.append(connection)
        connection.sendall(OK)
        while connection.recv(1):
            pass
        still_open.remove(connection)

    with Unruly(script) as unruly:
        port = int(unruly.url.rpartition(":")[2].partition("/")[0])
        there = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: there)
        for number in range(6):
            assert _post(sender, f"http://host{number}.example.org/") == Delivered(200)

        eventually(lambda: len(still_open) == 3, "three are open")


def _tls_sender(certificates: Certificates) -> HttpSender:
    settings = DeliverySettings(**PATIENCE, ca_bundle=certificates.ca_bundle)
    return HttpSender(settings)
