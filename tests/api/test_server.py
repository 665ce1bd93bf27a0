"""The server itself: what is too large, what it tells of itself, TLS and its certificates."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipeline.access.settings import ApiSettings, ClientSettings
from pipeline.api import ApiServer
from pipeline.api.docs.page import anchor
from pipeline.api.v1.description import statuses
from pipeline.errors import InvalidValue, StoreUnavailable
from pipeline.remote import Connection
from pipeline.store.sql import SqlStore

from api.serving import Served, get, served

POST = (
    b"POST /v1/alarms HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture
def server(store: SqlStore) -> Iterator[Served]:
    with served(store, max_body_bytes=1_000, max_header_bytes=2_000) as running:
        yield running


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def chunked(*parts: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def with_length(body: bytes) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % len(body) + body


BODY = b'{"name": "a", "description": "%s"}'


def test_a_body_may_come_in_one_piece_or_in_chunks(server: Served, store: SqlStore) -> None:
    assert status(server.speak(with_length(BODY % b"x"))) == 201
    assert status(server.speak(chunked(*[bytes([each]) for each in BODY % b"x"]))) == 201
    assert store.counts().alarms == 2


@pytest.mark.parametrize("size", [1_001, 5_000, 200_000])
@pytest.mark.parametrize("sent", [with_length, chunked])
def test_a_body_that_is_too_large_is_refused(
    server: Served, store: SqlStore, size: int, sent: Any
) -> None:
    answer = server.speak(sent(BODY % (b"x" * size)))
    assert status(answer) == 413
    assert store.counts().alarms == 0
    assert status(server.speak(get())) == 200


def test_a_length_that_is_only_said_is_refused_before_it_comes(server: Served) -> None:
    assert status(server.speak(POST + b"Content-Length: 99999999999\r\n\r\n")) == 413


@pytest.mark.parametrize(
    "length", [b"-1", b"x", b"1\r\nTransfer-Encoding: chunked", b"1\r\nContent-Length: 2"]
)
def test_a_length_that_is_none_is_refused(server: Served, store: SqlStore, length: bytes) -> None:
    assert status(server.speak(POST + b"Content-Length: " + length + b"\r\n\r\nx")) == 400
    assert store.counts().alarms == 0


def test_a_chunk_of_any_length_is_not_read(server: Served, store: SqlStore) -> None:
    endless = POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 200_000
    assert status(server.speak(endless)) == 413
    odd = POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert status(server.speak(odd)) == 400
    assert store.counts().alarms == 0


def test_what_stands_before_the_body_is_bounded(server: Served) -> None:
    assert status(server.speak(get("/v1/alarms?query=" + "x" * 3_000))) == 414
    assert status(server.speak(get(X_Large="x" * 3_000))) == 413
    many = {f"X_{number}": "x" * 30 for number in range(100)}
    assert status(server.speak(get(**many))) == 413


@pytest.mark.parametrize(
    ("request_", "code", "mend"),
    [
        (get("/v1/alarms?query=" + "x" * 3_000), 414, "api.max_header_bytes"),
        (get(X_Large="x" * 3_000), 413, "api.max_header_bytes"),
        (POST + b"Content-Length: 99999999999\r\n\r\n", 413, "api.max_body_bytes"),
        (POST + b"Content-Length: -1\r\n\r\n", 400, "length"),
        (b"GET /v1/alarms\r\n\r\n", 400, "Request-Line"),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "in chunks"),
        (b"GET /v1/alarms HTTP/2.0\r\nHost: x\r\n\r\n", 505, "HTTP/1.1"),
    ],
)
def test_what_the_server_refuses_is_a_problem_document_too(
    server: Served, request_: bytes, code: int, mend: str
) -> None:
    head, _, body = server.speak(request_).partition(b"\r\n\r\n")
    problem = json.loads(body)

    assert status(head) == problem["status"] == code
    assert b"Content-Type: application/problem+json\r\n" in head
    assert mend in problem["detail"]
    assert problem["request_id"].encode() in head
    (told,) = server.told("api.refused")
    assert (told["status"], told["request_id"]) == (code, problem["request_id"])
    assert problem["type"] in {f"/docs#{anchor(each)}" for each in statuses()}


def test_who_asks_is_shown_once(server: Served) -> None:
    twice = get(Authorization="Bearer a").replace(b"Host:", b"authorization: Bearer b\r\nHost:")
    assert status(server.speak(twice)) == 400
    assert status(server.speak(get(Accept="a").replace(b"Host:", b"accept: b\r\nHost:"))) == 200


def test_a_name_with_an_underscore_is_not_taken_for_one_with_a_hyphen(store: SqlStore) -> None:
    given = b"X-Openstack-Request-Id: req-1\r\nHost:"
    with served(store) as server:
        kept = server.speak(get().replace(b"Host:", given))
        passed_over = server.speak(get().replace(b"Host:", given.replace(b"k-R", b"k_R")))
    assert b"x-openstack-request-id: req-1\r\n" in kept
    assert b"req-1\r\n" not in passed_over


def test_a_command_that_asks_too_often_is_told_to_try_again(store: SqlStore) -> None:
    with served(store, rate_limit="1/hour") as server:
        connection = Connection(ClientSettings(server=f"http://127.0.0.1:{server.port}"))
        assert connection.get("alarms")["items"] == []
        with pytest.raises(StoreUnavailable, match="you ask too often"):
            connection.get("alarms")
        connection.close()


def test_it_tells_no_version(server: Served) -> None:
    head = server.speak(get("/v1/nothing")).partition(b"\r\n\r\n")[0].lower()
    assert b"server: tocsin\r\n" in head + b"\r\n"
    assert b"cheroot" not in head
    assert b"python" not in head


# --- TLS -------------------------------------------------------------------------------------


class Files:
    """A certificate, its key and an authority as files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.write(self.issue())

    def issue(self) -> trustme.LeafCert:
        return self.authority.issue_cert("localhost")

    def write(self, made: trustme.LeafCert) -> None:
        self.certificate.write_bytes(b"".join(part.bytes() for part in made.cert_chain_pems))
        made.private_key_pem.write_to_path(self.key)

    @property
    def settings(self) -> dict[str, str]:
        return {"certificate": str(self.certificate), "key": str(self.key)}

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = True
        return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_it_speaks_tls(store: SqlStore, files: Files) -> None:
    with served(store, **files.settings) as server:
        answer, shown = server.speak_tls(files.client(), get())
        again, _ = server.speak_tls(files.client(), with_length(BODY % (b"x" * 50_000)))
    assert (status(answer), status(again)) == (200, 201)
    assert ("DNS", "localhost") in shown["subjectAltName"]


def test_old_versions_of_tls_are_refused(store: SqlStore, files: Files) -> None:
    old = files.client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with served(store, **files.settings) as server:
        with pytest.raises(ssl.SSLError):
            server.speak_tls(old, get())
        assert status(server.speak_tls(files.client(), get())[0]) == 200


def test_plain_http_is_told_where_to_go(store: SqlStore, files: Files) -> None:
    with served(store, **files.settings) as server:
        answer = server.speak(get())
    assert status(answer) == 400
    assert b"ask https://" in answer


def test_whoever_is_slow_at_the_handshake_keeps_nobody_waiting(
    store: SqlStore, files: Files
) -> None:
    with served(store, **files.settings, threads=3) as server:
        slow = [server.connect() for _ in range(2)]
        try:
            assert status(server.speak_tls(files.client(), get())[0]) == 200
        finally:
            for each in slow:
                each.close()


def test_a_renewed_certificate_is_shown_from_then_on(store: SqlStore, files: Files) -> None:
    with served(store, **files.settings) as server:
        _, before = server.speak_tls(files.client(), get())
        files.write(files.issue())
        server.server.reload()
        answer, after = server.speak_tls(files.client(), get())
    assert status(answer) == 200
    assert before["serialNumber"] != after["serialNumber"]
    assert server.told("api.certificate_read")


@pytest.mark.parametrize("broken", ["certificate", "key", "gone"])
def test_a_renewal_that_is_broken_leaves_the_old_one_in_force(
    store: SqlStore, files: Files, broken: str
) -> None:
    with served(store, **files.settings) as server:
        _, before = server.speak_tls(files.client(), get())
        match broken:
            case "certificate":
                files.certificate.write_text("half a")
            case "key":
                files.issue().private_key_pem.write_to_path(files.key)
            case _:
                files.key.unlink()
        server.server.reload()
        _, after = server.speak_tls(files.client(), get())
    assert before == after
    (line,) = server.told("api.certificate_refused")
    assert str(files.certificate) in line["reason"]


def test_clients_may_have_to_show_a_certificate(store: SqlStore, files: Files) -> None:
    stranger = trustme.CA().issue_cert("stranger@example.org")
    known, unknown = files.client(), files.client()
    files.authority.issue_cert("client@example.org").configure_cert(known)
    stranger.configure_cert(unknown)
    with served(store, **files.settings, client_ca=str(files.ca)) as server:
        for refused in (files.client(), unknown):
            with pytest.raises(ssl.SSLError, match=r"alert|EOF"):
                server.speak_tls(refused, get())
        assert status(server.speak_tls(known, get())[0]) == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certificate": "/no/such"}, "/no/such with the key .* No such file"),
        ({"key": ""}, "cannot be used"),
        ({"client_ca": "/no/such"}, "the authorities in /no/such cannot be used"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused_at_the_start(
    store: SqlStore, files: Files, changes: dict[str, str], said: str
) -> None:
    settings = ApiSettings(port=0, **{**files.settings, **changes})
    with pytest.raises(InvalidValue, match=said):
        ApiServer(None, settings, None)


def test_a_key_with_a_password_asks_nobody_for_it(store: SqlStore, files: Files) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encrypted = serialization.BestAvailableEncryption(b"geheim")
    form = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encrypted))
    with pytest.raises(InvalidValue, match="have no password"):
        ApiServer(None, ApiSettings(port=0, **files.settings), None)
