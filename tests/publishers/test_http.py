"""`http(s)://` posts events as Ceilometer's does, and forgets none (events-in 29)."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import publishers
from pipeline.errors import InvalidValue, PublishFailed, PublishRefused

from builders import an_event
from delivery.receivers import Certificates, Unruly, say
from publishers.sinks import Posted, ids

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def posted() -> Iterator[Posted]:
    posted = Posted()
    yield posted
    posted.close()


def test_a_batch_is_one_array_over_one_connection(posted: Posted) -> None:
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/hook")
    events = [an_event(host="a"), an_event(vcpus=4)]

    publisher.publish(events)
    publisher.publish(events)
    publisher.close()

    assert posted.bodies() == [[event.as_dict() for event in events]] * 2
    assert posted.requests[0][1]["content-type"] == "application/json"
    assert posted.connections == 1


def test_without_batch_each_event_is_a_request(posted: Posted) -> None:
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/?batch=False")
    events = [an_event(), an_event()]

    publisher.publish(events)

    assert posted.bodies() == [event.as_dict() for event in events]


def test_own_options_are_taken_out_and_the_others_stay(posted: Posted) -> None:
    publisher = publishers.from_url(
        f"http://us%40r:p%3Aw@127.0.0.1:{posted.port}/a/b?timeout=1&q=foo&max_retries=0&batch=True"
        "&verify_ssl=False&clientcert=&clientkey=&raw_only=False&q=bar&empty="
    )

    publisher.publish([an_event()])

    path, headers, _ = posted.requests[0]
    assert path == "/a/b?q=foo&q=bar&empty="
    assert headers["authorization"] == "Basic " + base64.b64encode(b"us@r:p:w").decode()


def test_raw_only_posts_the_payloads_that_there_are(posted: Posted) -> None:
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/?raw_only=True")

    publisher.publish([an_event(), an_event(raw={"payload": {"id": 7}})])
    publisher.publish([an_event()])

    assert posted.bodies() == [[{"id": 7}]]


@pytest.mark.parametrize("status", [500, 503, 429, 401, 404])
def test_an_answer_that_may_pass_is_a_failure_with_its_words(posted: Posted, status: int) -> None:
    posted.answers = [(status, b"try\nlater")]
    publisher = publishers.from_url(f"http://u:s3cret@127.0.0.1:{posted.port}/")

    with pytest.raises(PublishFailed, match=rf"answered {status} .*: try later") as caught:
        publisher.publish([an_event()])

    assert not isinstance(caught.value, PublishRefused)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_answer_about_the_events_is_a_refusal(posted: Posted, status: int) -> None:
    posted.answers = [(status, b"")]
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/")

    with pytest.raises(PublishRefused):
        publisher.publish([an_event()])


def test_a_redirect_is_not_followed_and_says_where_to(posted: Posted) -> None:
    posted.answers = [(302, b"")]
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/")

    with pytest.raises(PublishFailed, match=r"answered 302 .* to http://u:\*\*\*@elsewhere/"):
        publisher.publish([an_event()])

    assert len(posted.requests) == 1


def test_a_failure_says_which_events_are_left(posted: Posted) -> None:
    posted.answers = [(200, b""), (503, b"")]
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/?batch=0")

    with pytest.raises(PublishFailed) as caught:
        publisher.publish(events := [an_event() for _ in range(4)])

    assert list(caught.value.left or ()) == [1, 2, 3]
    assert [body["message_id"] for body in posted.bodies()] == ids(events[:2])


def test_a_huge_batch_is_posted_in_portions(posted: Posted) -> None:
    publisher = publishers.from_url(f"http://127.0.0.1:{posted.port}/")
    events = [an_event(text="x" * 400_000) for _ in range(5)]

    publisher.publish(events)

    assert [len(body) for body in posted.bodies()] == [2, 2, 1]


def test_the_server_is_verified_by_an_authority_of_ones_own(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Unruly(say(OK), certificates.server(ask_client=True)) as server:
        options = (
            f"verify_ssl={certificates.ca_bundle}&clientcert={certificates.client_certificate}"
            f"&clientkey={certificates.client_key}"
        )
        publishers.from_url(f"{server.url}?{options}").publish([an_event()])

        with pytest.raises(PublishFailed, match=r"TLS failed .* add verify_ssl=FILE"):
            publishers.from_url(f"{server.url}?max_retries=0").publish([an_event()])


def test_a_server_is_not_verified_where_that_is_switched_off(tmp_path: Path) -> None:
    with Unruly(say(OK), Certificates(tmp_path).server()) as server:
        with warnings.catch_warnings(record=True) as said:
            publishers.from_url(f"{server.url}?verify_ssl=False").publish([an_event()])
        assert said == [], "what was asked for is not warned of for every batch"
        with pytest.raises(PublishFailed, match="TLS failed"):
            publishers.from_url(f"{server.url}?verify_ssl=True&max_retries=0").publish(
                [an_event()]
            )


def test_a_file_of_authorities_that_is_missing_is_told(tmp_path: Path) -> None:
    publisher = publishers.from_url(f"https://127.0.0.1:1/?verify_ssl={tmp_path}/none.pem")

    with pytest.raises(PublishFailed, match=r"none\.pem"):
        publisher.publish([an_event()])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http:///path", "names no host. Write http://user:password@host:port/…"),
        (
            "http://host/?timeout=soon&max_retries=-1&batch=perhaps",
            "timeout: expects a number of seconds, as 5. max_retries: give 0 or more, not -1. "
            "batch: expects True or False, not 'perhaps'.",
        ),
        (
            "http://u:pa/ss@host/",
            "its port is no number from 1 to 65535. A / ? # or @ in a password is written "
            "%2F, %3F, %23 or %40.",
        ),
    ],
)
def test_a_wrong_url_says_what_and_how_to_mend_it(url: str, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        publishers.from_url(url)

    assert str(caught.value) == message
