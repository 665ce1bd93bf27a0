"""Events that are posted are accepted when they are committed, and refused with the reason."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InvalidValue
from pipeline.listeners.base import Message
from pipeline.listeners.http import HttpListener, HttpSettings, posted
from pipeline.listeners.http.group_commit import GroupCommit

from listeners.contract import Feed, ListenerContract, RecordingWorker
from waiting import DEADLINE_SECONDS, eventually, running

JSON = "application/json"


def understand(message: Message) -> str | None:
    """As the normaliser would: here, all but what says that it is bad."""
    return "it says that it is bad" if b'"bad"' in message.body else None


def a_listener(
    worker: RecordingWorker | None = None,
    understand: Callable[[Message], str | None] = understand,
    **settings: Any,
) -> HttpListener[Any]:
    return HttpListener(HttpSettings(port=0, **settings), worker or RecordingWorker(), understand)


class Client:
    """Posts to one listener."""

    def __init__(self, listener: HttpListener[Any]) -> None:
        self.root = f"http://127.0.0.1:{listener.port}"

    def post(
        self, body: bytes | Iterator[bytes], content_type: str | None = JSON, **headers: str
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type:
            sent["Content-Type"] = content_type
        return requests.post(
            f"{self.root}/v1/events", body, headers=sent, timeout=DEADLINE_SECONDS
        )


@contextmanager
def serving(worker: RecordingWorker | None = None, **settings: Any) -> Iterator[Client]:
    with running(listener := a_listener(worker, **settings)):
        yield Client(listener)


class HttpFeed:
    """Clients that post what was sent, each listener anew until it is answered with 202."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def listener(self, worker: RecordingWorker) -> HttpListener[Any]:
        listener = a_listener(worker, lambda message: None)
        for body in self._kept:
            threading.Thread(target=self._post, args=(listener, body), daemon=True).start()
        return listener

    def send(self, bodies: Sequence[bytes]) -> None:
        self._kept += bodies

    def unacknowledged(self) -> int:
        return len(self._kept)

    def _post(self, listener: HttpListener[Any], body: bytes) -> None:
        try:
            if Client(listener).post(body).status_code == 202:
                self._kept.remove(body)
        except requests.ConnectionError:
            pass  # It is stopped: this is posted again to the next one.


class TestTheContract(ListenerContract):
    @pytest.fixture
    def feed(self) -> Feed:
        return HttpFeed()


class TestAccepted:
    """202 `{"accepted": n}` after the commit."""

    def test_one_event(self) -> None:
        worker = RecordingWorker()
        with serving(worker) as client:
            answer = client.post(b'{"n": NaN}')
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
        assert worker.committed == [Message(b'{"n": NaN}', JSON, {}, "http")]

    def test_an_array_is_one_message_each_with_the_bytes_that_came(self) -> None:
        worker = RecordingWorker()
        items = [
            b'{"n":  NaN}',
            b'{"big": 1' + b"0" * 5000 + b"}",
            b'"\\u00e9\xc3\xa9"',
            b"[1, 2]",
        ]
        with serving(worker) as client:
            answer = client.post(b" [ " + b" ,\n".join(items) + b" ]\n", f"{JSON}; charset=utf-8")
        assert (answer.status_code, answer.json()) == (202, {"accepted": 4})
        assert [message.body for message in worker.committed] == items
        assert {message.content_type for message in worker.committed} == {JSON}

    def test_an_empty_array(self) -> None:
        with serving(worker := RecordingWorker()) as client:
            assert client.post(b"[]").json() == {"accepted": 0}
        assert worker.decided == []

    def test_a_structured_cloudevent(self) -> None:
        """events-in 10"""
        worker = RecordingWorker()
        with serving(worker) as client:
            answer = client.post(b'{"specversion": "1.0"}', "application/cloudevents+json")
        assert answer.status_code == 202
        assert worker.committed[0].content_type == "application/cloudevents+json"

    def test_a_mail(self) -> None:
        """notifications 18: whoever brings mails tries again what is refused, so one of our own
        that came back is taken, and is none."""
        worker, mail = RecordingWorker(), b"From: root@node-1\r\nSubject: x\r\n\r\nhelp"
        with serving(worker) as client:
            assert client.post(mail, "message/rfc822").json() == {"accepted": 1}
            own = b"X-Tocsin-Delivery: 1\r\n" + mail
            assert client.post(own, "message/rfc822").json() == {"accepted": 0}
        assert [(m.body, m.content_type) for m in worker.committed] == [(mail, "message/rfc822")]

    def test_a_batch_of_cloudevents(self) -> None:
        """events-in 10"""
        worker = RecordingWorker()
        with serving(worker) as client:
            answer = client.post(b'[{"id": "1"}, {"id": "2"}]', posted.CLOUDEVENTS_BATCH)
        assert answer.json() == {"accepted": 2}
        assert [(m.body, m.content_type) for m in worker.committed] == [
            (b'{"id": "1"}', "application/cloudevents+json"),
            (b'{"id": "2"}', "application/cloudevents+json"),
        ]

    @pytest.mark.parametrize("content_type", [JSON, "text/plain", None])
    def test_a_binary_cloudevent_hands_on_its_attributes_and_nothing_secret(
        self, content_type: str | None
    ) -> None:
        """events-in 10"""
        worker = RecordingWorker()
        with serving(worker) as client:
            answer = client.post(
                b"[1]",
                content_type,
                CE_SpecVersion="1.0",
                ce_id="1",
                Authorization="Bearer s3cret",
            )
        assert answer.json() == {"accepted": 1}
        assert worker.committed == [
            Message(b"[1]", content_type, {"ce-specversion": "1.0", "ce-id": "1"}, "http")
        ]


class TestRefused:
    """An error in JSON that says what is wrong; nothing of the request is taken."""

    def test_an_event_that_is_not_understood(self) -> None:
        with serving(worker := RecordingWorker()) as client:
            answer = client.post(b'"bad"')
        assert (answer.status_code, answer.json()) == (400, {"error": "it says that it is bad"})
        assert worker.decided == []

    def test_an_array_with_one_bad_item_says_which_and_takes_none(self) -> None:
        with serving(worker := RecordingWorker()) as client:
            answer = client.post(b'[{}, {}, {"a": "bad"}, {}]')
        assert answer.status_code == 400
        assert answer.json() == {"error": "it says that it is bad", "index": 2}
        assert worker.decided == []

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"[{}", "the body is not a JSON array: Expecting ',': line 1 column 4 (char 3)."),
            (b"[{} {}]", "the body is not a JSON array: Expecting ',': line 1 column 5 (char 4)."),
            (b"[1] 2", "the body is not a JSON array: Extra data: line 1 column 5 (char 4)."),
            (b"[", "the body is not a JSON array: Expecting value: line 1 column 2 (char 1)."),
            (b"[\xff]", "the body is not UTF-8: "),
            (b"[" * 200_000, "the array is nested too deeply."),
        ],
    )
    def test_an_array_that_is_broken(self, body: bytes, reason: str) -> None:
        with serving() as client:
            answer = client.post(body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(reason)

    def test_a_batch_of_cloudevents_that_is_no_array(self) -> None:
        with serving() as client:
            answer = client.post(b"{}", posted.CLOUDEVENTS_BATCH)
        assert answer.status_code == 400
        assert "Expecting '['" in answer.json()["error"]

    @pytest.mark.parametrize("content_type", [None, "text/plain", "application/xml"])
    def test_another_content_type_says_which_to_send(self, content_type: str | None) -> None:
        with serving() as client:
            answer = client.post(b"{}", content_type)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.json()["error"]

    def test_a_form_such_as_curl_sends_by_itself(self) -> None:
        with serving() as client:
            answer = client.post(b"{}", "application/x-www-form-urlencoded")
        assert answer.status_code == 415
        assert "application/x-www-form-urlencoded" in answer.json()["error"]

    def test_a_compressed_body(self) -> None:
        with serving() as client:
            answer = client.post(b"{}", content_encoding="gzip")
        assert (answer.status_code, answer.json()["error"]) == (
            415,
            "cannot read the content encoding gzip. Send it as it is.",
        )

    def test_another_method_names_those_that_work(self) -> None:
        with serving() as client:
            answer = requests.get(f"{client.root}/v1/events", timeout=DEADLINE_SECONDS)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]
        assert "POST to /v1/events" in answer.json()["error"]

    def test_another_path_names_the_right_one(self) -> None:
        with serving() as client:
            answer = requests.post(f"{client.root}/events", b"", timeout=DEADLINE_SECONDS)
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "nothing is at /events. Post events to /v1/events."},
        )

    def test_what_is_not_http_at_all(self) -> None:
        with serving() as client:
            port = int(client.root.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS) as raw:
                raw.sendall(b"POST /v1/events HTTP/1.1\r\nContent-Length: x\r\n\r\n")
                answer = http.client.HTTPResponse(raw)
                answer.begin()
                assert answer.status == 400
                assert "error" in json.loads(answer.read())


class TestTooLarge:
    """413, whichever way the body is sent; a body of just the limit is taken."""

    LIMIT = 1000

    @pytest.fixture
    def client(self) -> Iterator[Client]:
        with serving(max_body_bytes=self.LIMIT) as client:
            yield client

    def body(self, size: int) -> bytes:
        return b'"' + b"x" * (size - 2) + b'"'

    def test_the_limit_itself_is_taken(self, client: Client) -> None:
        assert client.post(self.body(self.LIMIT)).status_code == 202
        assert client.post(iter([self.body(self.LIMIT)])).status_code == 202

    @pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1, 20 * LIMIT])
    def test_with_a_length(self, client: Client, size: int) -> None:
        self.is_refused(client.post(self.body(size)))

    @pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1, 20 * LIMIT])
    def test_in_chunks_without_a_length(self, client: Client, size: int) -> None:
        self.is_refused(client.post(iter([self.body(size)])))

    def is_refused(self, answer: requests.Response) -> None:
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == JSON
        assert answer.json()["error"].startswith("the body is larger than 1000 bytes. Send fewer")


class TestUnavailable:
    """503 with Retry-After while nothing can be committed."""

    def test_a_commit_that_takes_too_long(self) -> None:
        worker = RecordingWorker()
        worker.hold()
        with serving(worker, commit_timeout_seconds=0.1) as client:
            answer = client.post(b"{}")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert "may still be taken; send it again" in answer.json()["error"]
            again = client.post(b"{}")
            assert (again.status_code, again.headers["Retry-After"]) == (503, "5")
            assert "Nothing of this was taken; send it again" in again.json()["error"]
            health = requests.get(f"{client.root}/healthz", timeout=DEADLINE_SECONDS)
            assert health.status_code == 503
            assert "the database cannot be reached" in health.json()["status"]
            worker.release()
            eventually(lambda: client.post(b"{}").status_code == 202, "taken again")
        assert len(worker.committed) == 2

    def test_a_stop_before_the_commit(self) -> None:
        worker = RecordingWorker()
        worker.stop()
        with serving(worker) as client:
            answer = client.post(b"{}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json() == {
            "error": "Tocsin is stopping. Nothing of this was taken; send it again."
        }

    def test_a_request_in_flight_is_answered_though_it_is_stopped(self) -> None:
        worker = RecordingWorker()
        worker.hold()
        answers: list[requests.Response] = []
        with running(listener := a_listener(worker)):
            client = Client(listener)
            thread = threading.Thread(target=lambda: answers.append(client.post(b"{}")))
            thread.start()
            assert worker.committing.wait(DEADLINE_SECONDS)
            listener.stop()
            eventually(lambda: refuses_connections(listener.port), "the door is closed")
            worker.release()
            thread.join(DEADLINE_SECONDS)
        assert answers[0].status_code == 202


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


class Buggy(RecordingWorker):
    """Fails on one message, and with it on every batch that holds it."""

    def decide(self, messages: Sequence[Message]) -> list[Message] | None:
        if any(message.body == b'"bug"' for message in messages):
            raise ZeroDivisionError
        return super().decide(messages)


class TestGroupCommit:
    """What is handed in while a commit is going on makes the next batch."""

    def commit(self, worker: RecordingWorker, bodies: Sequence[bytes]) -> list[Future[None]]:
        """Hand in the first, then the others while that is being committed."""
        commits = GroupCommit(worker, most=3, log=structlog.get_logger())
        worker.hold()
        thread = threading.Thread(target=commits.run)
        thread.start()
        futures = [commits.submit([Message(bodies[0])])]
        assert worker.committing.wait(DEADLINE_SECONDS)
        futures += [commits.submit([Message(body)]) for body in bodies[1:]]
        futures[-1].cancel()
        worker.release()
        commits.close()
        thread.join(DEADLINE_SECONDS)
        return futures

    def test_batches_are_made_of_what_waits_up_to_the_most(self) -> None:
        worker = RecordingWorker()
        futures = self.commit(worker, [b"1", b"2", b"3", b"4", b"5", b"taken back"])
        assert worker.batches == [1, 3, 1]
        assert all(future.done() for future in futures)
        assert b"taken back" not in [message.body for message in worker.committed]

    def test_a_bug_fails_the_one_that_met_it_and_no_other(self) -> None:
        with structlog.testing.capture_logs() as logs:
            futures = self.commit(worker := Buggy(), [b"1", b"2", b'"bug"', b"3", b"taken back"])
        assert [message.body for message in worker.committed] == [b"1", b"2", b"3"]
        assert isinstance(futures[2].exception(), ZeroDivisionError)
        assert futures[1].exception() is futures[3].exception() is None
        assert logs[0]["event"] == "http.commit_failed"


def test_a_bug_is_answered_with_500_and_logged() -> None:
    with structlog.testing.capture_logs() as logs, serving(Buggy()) as client:
        answer = client.post(b'"bug"')
        assert client.post(b"{}").status_code == 202
    assert answer.status_code == 500
    assert "its log says why" in answer.json()["error"]
    assert "http.failed" in {log["event"] for log in logs}


def test_healthz_says_ok() -> None:
    with serving() as client:
        answer = requests.get(f"{client.root}/healthz", timeout=DEADLINE_SECONDS)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_with_a_token_events_need_it() -> None:
    with serving(token="s3cret") as client:
        assert client.post(b"{}", Authorization="Bearer s3cret").status_code == 202
        for refused in (client.post(b"{}"), client.post(b"{}", Authorization="Bearer other")):
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert "a token is needed" in refused.json()["error"]


def test_a_port_that_is_taken_is_said_with_how_to_mend_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidValue, match=r"Address already in use\. Set its host and port"):
            HttpListener(HttpSettings(port=port), RecordingWorker(), understand)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_listening_to_the_network_without_a_token_is_warned_of(host: str, warned: bool) -> None:
    with structlog.testing.capture_logs() as logs:
        listener = a_listener(host=host)
        listener.stop()
        listener.run()
    assert any(log["event"] == "http.open" for log in logs) is warned


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
BLANKS = st.text(" \t\r\n", max_size=3)


@settings(max_examples=50)
@given(st.lists(JSON_VALUES), st.booleans(), BLANKS)
def test_any_array_is_cut_into_the_items_that_it_was_made_of(
    values: list[Any], ascii_only: bool, blank: str
) -> None:
    items = [json.dumps(value, ensure_ascii=ascii_only) for value in values]
    text = f"{blank}[{blank}" + f"{blank},{blank}".join(items) + f"{blank}]{blank}"
    sliced, is_array = posted.read(text.encode(), JSON, {})
    assert is_array
    assert [message.body.decode() for message in sliced] == items


@given(st.binary())
def test_any_body_is_messages_or_unacceptable(body: bytes) -> None:
    try:
        messages, _ = posted.read(b"[" + body, JSON, {})
    except posted.Unacceptable:
        messages = []
    assert all(message.body for message in messages)
