"""What a receiver does is an outcome, whatever it does, and within a bound (delivery 4, 6)."""

from __future__ import annotations

import gzip
import socket
import threading
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic

import pytest

from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Outcome, Refused
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.targets.answer import Answer, judge
from pipeline.targets.endpoint import endpoint
from pipeline.targets.http import KEPT_BYTES, READ_BYTES, HttpSender, Request
from pipeline.targets.settings import DeliverySettings

from builders import NOON
from delivery.receivers import (
    PATIENCE,
    Certificates,
    Unruly,
    flood,
    read_request,
    reset,
    say,
    trickle,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def _post(sender: HttpSender, url: str, verify: bool | None = None) -> Outcome:
    request = Request(url, b"{}", {"content-type": "application/json"}, verify=verify)
    return sender.send(request, _judged)


def _judged(answer: Answer) -> Outcome:
    return judge(answer, NOON)


def _answered(sender: HttpSender, reply: Reply) -> Outcome:
    with Receiver(answer=lambda callback: reply) as receiver:
        return _post(sender, receiver.url)


# --- answers (delivery 4) ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(sender: HttpSender, status: int) -> None:
    assert _answered(sender, Reply(status)) == Delivered(status)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 599, 600])
def test_what_may_work_later_has_failed(sender: HttpSender, status: int) -> None:
    outcome = _answered(sender, Reply(status))

    assert isinstance(outcome, Failed)
    assert outcome.status == status
    assert outcome.reason.startswith(f"answered {status}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 411, 413, 418, 422, 451])
def test_any_other_4xx_is_refused(sender: HttpSender, status: int) -> None:
    outcome = _answered(sender, Reply(status))

    assert isinstance(outcome, Refused)
    assert (outcome.status, outcome.gone) == (status, False)


def test_410_is_refused_for_good(sender: HttpSender) -> None:
    outcome = _answered(sender, Reply(410))

    assert outcome == Refused(
        "answered 410 Gone: it wants nothing more from us", status=410, gone=True
    )


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("0", timedelta()),
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("9" * 400, timedelta(days=3650)),
        (format_datetime(NOON + timedelta(minutes=3), usegmt=True), timedelta(minutes=3)),
        (format_datetime(NOON - timedelta(minutes=3), usegmt=True), timedelta()),
        ("Friday, 02-Jan-26 12:00:30 GMT", timedelta(seconds=30)),
        ("Fri Jan  2 12:00:30 2026", timedelta(seconds=30)),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Fri, 99 Jan 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    sender: HttpSender, asked: str, waited: timedelta | None
) -> None:
    outcome = _answered(sender, Reply(503, {"Retry-After": asked}))

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == waited


def test_a_redirect_is_not_followed_and_says_where_it_leads(sender: HttpSender) -> None:
    """delivery 6."""
    with Receiver() as elsewhere:
        to = {"Location": f"{elsewhere.url}/new?token=s3cr3t"}
        outcome = _answered(sender, Reply(302, to))

        assert elsewhere.callbacks == []
    assert isinstance(outcome, Refused)
    assert outcome.reason == (
        f"answered 302 Found to {elsewhere.url}; redirects are not followed."
        " Put the new address into the alarm's actions"
    )


@pytest.mark.parametrize("location", ["/new", "", "http://[", "//[::1]:x/"])
def test_any_location_is_refused(sender: HttpSender, location: str) -> None:
    outcome = _answered(sender, Reply(301, {"Location": location}))

    assert isinstance(outcome, Refused)
    assert outcome.status == 301


def test_the_first_kibibyte_of_an_answer_is_kept(sender: HttpSender) -> None:
    """delivery 6."""
    outcome = _answered(sender, Reply(500, body="größer ".encode() * 10_000))

    assert isinstance(outcome, Failed)
    assert outcome.response_head.startswith("größer größer ")
    assert KEPT_BYTES - 8 <= len(outcome.response_head.encode()) <= KEPT_BYTES + 8


def test_a_kept_answer_has_no_control_characters(sender: HttpSender) -> None:
    outcome = _answered(sender, Reply(200, body=b"a\x00b\x1b[31m\r\n\xff\tend"))

    assert outcome == Delivered(200, "a�b�[31m�\n�\tend")


def test_a_compressed_answer_is_not_unpacked(sender: HttpSender) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    outcome = _answered(sender, Reply(200, {"Content-Encoding": "gzip"}, bomb))

    assert outcome == Delivered(200, f"<{len(bomb)} bytes, not unpacked>")


# --- what is sent --------------------------------------------------------------------------------


def test_a_connection_is_used_again(sender: HttpSender) -> None:
    connections = []

    def script(connection: socket.socket) -> None:
        connection.sendall(OK)
        read_request(connection)
        connection.sendall(OK)

    with Unruly(script) as unruly:
        connections = [_post(sender, unruly.url), _post(sender, unruly.url)]

        assert unruly.connections == 1
    assert connections == [Delivered(200), Delivered(200)]


def test_a_kept_connection_that_breaks_is_replaced_at_once(sender: HttpSender) -> None:
    """delivery 3: the second request carries the same id as the first."""
    requests: list[bytes] = []

    def script(connection: socket.socket) -> None:
        connection.sendall(OK)
        if not requests:
            requests.append(read_request(connection))
            reset(connection)
        else:
            requests.append(read_request(connection))
            connection.sendall(OK)

    with Unruly(script) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]
        assert unruly.connections == 2
        outcomes.append(_post(sender, unruly.url))

    assert outcomes == [Delivered(200)] * 3
    assert requests[0] == requests[1]


def test_a_kept_connection_that_was_closed_is_not_used_again(sender: HttpSender) -> None:
    with Unruly(say(OK)) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(3)]

        assert unruly.connections == 3
    assert outcomes == [Delivered(200)] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno number\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nyes",
        b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nyes",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes, and more than was said",
    ],
    ids=["broken", "closing", "HTTP/1.0", "too long"],
)
def test_a_connection_whose_answer_does_not_end_well_is_not_used_again(
    sender: HttpSender, ended: threading.Event, answer: bytes
) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(answer)
        ended.wait(60)

    with Unruly(script) as unruly:
        outcomes = [_post(sender, unruly.url) for _ in range(2)]

        assert unruly.connections == 2
    assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]


@pytest.mark.parametrize("value", ["y\r\nhost: elsewhere", "y\nz", "š3cret"])
def test_what_no_header_can_hold_is_refused_and_not_told(
    sender: HttpSender, receiver: Receiver, value: str
) -> None:
    outcome = sender.send(Request(receiver.url, b"", {"x": value}), _judged)

    who = receiver.url.rstrip("/")
    assert outcome == Refused(f"a header for {who} has a sign that none can hold. Correct it")
    assert not receiver.callbacks


@pytest.mark.parametrize(
    ("url", "host", "start"),
    [
        ("http://h/", "h", "POST / HTTP/1.1\r\nHost: h\r\n"),
        ("https://H:443/a b?q=ü#f", "h", "POST /a%20b?q=%C3%BC HTTP/1.1\r\nHost: h\r\n"),
        ("https://user:pw@h:80", "h", "POST / HTTP/1.1\r\nHost: h:80\r\n"),
        ("http://bücher.example/", "xn--bcher-kva.example", None),
        ("http://[::1]:8080/", "::1", "POST / HTTP/1.1\r\nHost: [::1]:8080\r\n"),
        ("http://[fe80::1%25eth0]/", "fe80::1%eth0", "POST / HTTP/1.1\r\nHost: [fe80::1]\r\n"),
    ],
)
def test_a_url_says_whom_to_call_and_how(url: str, host: str, start: str | None) -> None:
    found = endpoint(url)

    assert found.host == host
    assert found.start == (start or f"POST / HTTP/1.1\r\nHost: {host}\r\n")


def test_credentials_in_the_url_are_sent_as_basic_authentication(
    sender: HttpSender, receiver: Receiver
) -> None:
    _post(sender, receiver.url.replace("://", "://us%40er:p%3Aw@"))

    assert receiver.callbacks[0].headers["authorization"] == "Basic dXNAZXI6cDp3"


def test_nothing_but_the_action_decides_what_is_sent(
    sender: HttpSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No credentials from ~/.netrc, no proxy from the environment, no cookies."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    receiver._answer = lambda callback: Reply(200, {"Set-Cookie": "session=1"})

    outcomes = [_post(sender, receiver.url), _post(sender, receiver.url)]

    assert outcomes == [Delivered(200), Delivered(200)]
    assert not {"authorization", "cookie"} & {
        name for callback in receiver.callbacks for name in callback.headers
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://[",
        "http://host:99999/",
        "http://host:x/",
        "http:///path",
        "http://.example.org/",
        f"http://{'a' * 70}.example.org/",
        "http://ho st/",
        "http://*.example.org/",
        "http://one.example.org\\@two.example.org/",
    ],
)
def test_what_is_no_url_is_refused(sender: HttpSender, url: str) -> None:
    assert isinstance(_post(sender, url), Refused)


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_port_that_nobody_listens_on_has_failed(sender: HttpSender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert _post(sender, f"http://127.0.0.1:{port}/") == Failed(
        f"cannot connect to http://127.0.0.1:{port}: connection refused"
    )


def test_a_name_that_does_not_resolve_has_failed(sender: HttpSender) -> None:
    assert _post(sender, "http://nobody.invalid/") == Failed(
        "cannot find http://nobody.invalid: its name does not resolve"
    )


def test_a_receiver_that_accepts_no_more_connections_has_failed(ended: threading.Event) -> None:
    sender = HttpSender(DeliverySettings(connect_timeout_seconds=0.3))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        outcome = _post(sender, f"http://127.0.0.1:{address[1]}/")
        for connection in waiting:
            connection.close()

    assert outcome == Failed(f"no connection to http://127.0.0.1:{address[1]} within 0.3 s")


def test_an_address_that_is_silent_leaves_time_for_the_next(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = HttpSender(DeliverySettings(connect_timeout_seconds=1.0))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(3)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", full.getsockname()),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (receiver.host, receiver.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        outcome = _post(sender, f"http://two.example.org:{receiver.port}/")
        for connection in waiting:
            connection.close()

    assert outcome == Delivered(200)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "the connection was closed without one"),
        (b"SSH-2.0-OpenSSH\r\n", "what came was not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "what came was not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200, "what came was not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "what came was not HTTP"),
    ],
)
def test_what_is_not_http_has_failed(sender: HttpSender, said: bytes, why: str) -> None:
    with Unruly(say(said)) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Failed)
    assert why in outcome.reason


def test_a_connection_that_is_reset_has_failed(sender: HttpSender) -> None:
    with Unruly(reset) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("connection reset by peer")


def test_a_receiver_that_hangs_has_failed(sender: HttpSender, ended: threading.Event) -> None:
    with Unruly(lambda connection: (ended.wait(60), None)[1]) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("within 0.4 s")


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "one header", "continue"],
)
def test_a_head_that_trickles_in_is_not_waited_for_for_ever(
    sender: HttpSender, ended: threading.Event, head: bytes, drop: bytes
) -> None:
    """Each byte comes within the time-out, the whole never does."""
    with Unruly(trickle(head, drop, ended)) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\nstart",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nstart",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nstart\r\n",
    ],
    ids=["until closed", "of a length", "chunked"],
)
def test_a_body_that_trickles_in_is_cut_and_the_status_counts(
    sender: HttpSender, ended: threading.Event, head: bytes
) -> None:
    drop = b"1\r\n.\r\n" if b"chunked" in head else b"."
    with Unruly(trickle(head, drop, ended)) as unruly:
        outcome = _post(sender, unruly.url)

    assert isinstance(outcome, Delivered)
    assert outcome.response_head.startswith("start")


def test_no_more_than_64_kib_of_an_endless_body_is_read(ended: threading.Event) -> None:
    """delivery 6."""
    sender = HttpSender(DeliverySettings(read_timeout_seconds=60))
    with Unruly(flood(b"HTTP/1.1 200 OK\r\n\r\n", ended)) as unruly:
        outcome = _post(sender, unruly.url)

    assert READ_BYTES == 65536
    assert outcome == Delivered(200, "x" * KEPT_BYTES)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_a_request_that_is_not_taken_has_failed(
    secure: bool, certificates: Certificates, ended: threading.Event
) -> None:
    sender = HttpSender(DeliverySettings(connect_timeout_seconds=0.5))
    tls = certificates.server() if secure else None
    body = b" " * 30_000_000
    with _Deaf(tls, ended) as deaf:
        outcome = sender.send(Request(deaf.url, body, {}, verify=False), _judged)

    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("did not take the request within 0.5 s")


class _Deaf(Unruly):
    """Takes a little of the request now and then."""

    def __init__(self, tls: object, ended: threading.Event) -> None:
        super().__init__(lambda connection: None, tls)  # type: ignore[arg-type]
        self._ended = ended

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        while not self._ended.wait(0.05) and connection.recv(16_384):
            pass


# --- TLS (alarms 15) -----------------------------------------------------------------------------


def _tls_sender(**settings: object) -> HttpSender:
    return HttpSender(DeliverySettings(**{**PATIENCE, **settings}))


def test_an_unknown_authority_is_not_trusted(certificates: Certificates) -> None:
    with Unruly(say(OK), certificates.server()) as server:
        outcome = _post(_tls_sender(), server.url)

    assert isinstance(outcome, Failed)
    assert "its certificate does not verify: unable to get local issuer" in outcome.reason
    assert "delivery.ca_bundle" in outcome.reason


def test_the_authority_of_the_settings_is_trusted(certificates: Certificates) -> None:
    with Unruly(say(OK), certificates.server()) as server:
        outcome = _post(_tls_sender(ca_bundle=certificates.ca_bundle), server.url)

    assert outcome == Delivered(200)


def test_a_certificate_for_another_name_is_not_trusted(certificates: Certificates) -> None:
    with Unruly(say(OK), certificates.server("other.example.org")) as server:
        outcome = _post(_tls_sender(ca_bundle=certificates.ca_bundle), server.url)

    assert isinstance(outcome, Failed)
    assert "mismatch" in outcome.reason


@pytest.mark.parametrize(
    ("settings", "asked", "works"),
    [
        (True, None, False),
        (True, False, True),
        (True, True, False),
        (False, None, True),
        (False, True, False),
        (False, False, True),
    ],
)
def test_an_action_may_ask_for_verification_or_do_without(
    certificates: Certificates, settings: bool, asked: bool | None, works: bool
) -> None:
    with Unruly(say(OK), certificates.server()) as server:
        outcome = _post(_tls_sender(verify=settings), server.url, verify=asked)

    assert isinstance(outcome, Delivered if works else Failed)


@pytest.mark.parametrize("shown", [True, False])
def test_a_client_certificate_is_shown_to_who_asks(
    certificates: Certificates, shown: bool
) -> None:
    settings = {"ca_bundle": certificates.ca_bundle, "read_timeout_seconds": 5.0}
    if shown:
        settings["client_certificate"] = certificates.client_certificate
        settings["client_key"] = certificates.client_key
    with Unruly(say(OK), certificates.server(ask_client=True)) as server:
        outcome = _post(_tls_sender(**settings), server.url)

    assert isinstance(outcome, Delivered if shown else Failed)


def test_a_verified_and_an_unverified_connection_are_never_mixed(
    certificates: Certificates,
) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(OK)
        connection.recv(1)

    sender = _tls_sender()
    with Unruly(script, certificates.server()) as server:
        without = _post(sender, server.url, verify=False)
        verified = _post(sender, server.url, verify=True)

    assert isinstance(without, Delivered)
    assert isinstance(verified, Failed)


@pytest.mark.parametrize("setting", ["ca_bundle", "client_certificate"])
@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_certificate_file_that_cannot_be_used_is_said_at_the_start(
    setting: str, content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "broken.pem"
    if content:
        path.write_text(content)

    with pytest.raises(InvalidValue, match=f"delivery.{setting}: cannot use .*broken.pem"):
        _tls_sender(**{setting: str(path)})


# --- several requests in one attempt -------------------------------------------------------------


def test_no_request_lasts_beyond_the_end_of_its_attempt(ended: threading.Event) -> None:
    patient = HttpSender(DeliverySettings(connect_timeout_seconds=600, read_timeout_seconds=600))
    with Unruly(lambda connection: ended.wait() and None) as server:
        outcome = patient.send(Request(server.url, b"", {}), _judged, by=monotonic() + 0.2)
        too_late = patient.send(Request(server.url, b"", {}), _judged, by=monotonic() - 1)

    who = server.url.removesuffix("/hook")
    assert outcome == Failed(f"no answer from {who} in the time of one attempt")
    assert too_late == Failed(f"no connection to {who} in the time of one attempt")


def test_a_handshake_ends_with_its_attempt(
    certificates: Certificates, ended: threading.Event
) -> None:
    patient = _tls_sender(connect_timeout_seconds=600, read_timeout_seconds=600)
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{silent.getsockname()[1]}/"

    outcome = patient.send(Request(url, b"", {}), _judged, by=monotonic() + 0.2)

    silent.close()
    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("in the time of one attempt")


def test_a_target_sees_the_body_and_every_cookie(sender: HttpSender) -> None:
    seen: list[Answer] = []

    def keep(answer: Answer) -> Outcome:
        seen.append(answer)
        return _judged(answer)

    said = (
        b"HTTP/1.1 200 OK\r\nset-cookie: a=1; Path=/\r\nset-cookie: b=2\r\n"
        b"content-length: 3000\r\n\r\n" + b"x" * 3000
    )
    with Unruly(say(said)) as server:
        sender.send(Request(server.url, b"", {}), keep)

    assert seen[0].headers["set-cookie"] == "a=1; Path=/\nb=2"
    assert (len(seen[0].body), len(seen[0].head)) == (3000, KEPT_BYTES)


# --- secrets -------------------------------------------------------------------------------------

SECRET_URL = "{}/T0000/q8Zr2LxW0mKp5VtN7cYbHd3e?key=k-9f8e7d&plain=w%2Fithin#f".format


def _echo(callback: Callback) -> Reply:
    said = f"{callback.path}\n{callback.headers}\nw/ithin user hunter22 https://a:b@c/?token=t"
    return Reply(404, body=said.encode())


def test_no_secret_of_a_url_is_in_an_outcome(sender: HttpSender, ended: threading.Event) -> None:
    """Receivers like to repeat the path, the headers or the credentials in an error page."""
    with Receiver(answer=_echo) as receiver:
        open_url = SECRET_URL(receiver.url.replace("://", "://user:hunter22@"))
        outcomes = [_post(sender, open_url)]
    outcomes += [_post(sender, open_url)]
    with Unruly(reset) as unruly:
        outcomes += [_post(sender, SECRET_URL(unruly.url.replace("://", "://user:hunter22@")))]
    outcomes += [_post(sender, SECRET_URL("http://user:hunter22@nobody.invalid"))]
    outcomes += [_post(sender, SECRET_URL("http://user:hunter22@host:99999"))]

    shown = "\n".join(map(repr, outcomes))
    for secret in ("hunter22", "k-9f8e7d", "w/ithin", "w%2Fithin", "q8Zr2Lx", "dXNlcjpodW50"):
        assert secret not in shown
    assert "user" in outcomes[0].response_head


def test_no_secret_of_a_header_or_a_body_is_in_an_outcome(sender: HttpSender) -> None:
    def echo(callback: Callback) -> Reply:
        return Reply(400, body=f"{callback.headers}{callback.body!r}".encode())

    token = "k/9 f8e7d&x"
    body, headers = b"token=k%2F9+f8e7d%26x", {"authorization": f"Bearer {token}"}
    with Receiver(answer=echo) as receiver:
        request = Request(receiver.url, body, headers, secrets=(token, ""))
        outcome = sender.send(request, _judged)

    assert isinstance(outcome, Refused)
    assert "Bearer ***" in outcome.response_head
    assert "token=***" in outcome.response_head
    assert "f8e7d" not in repr(outcome)
