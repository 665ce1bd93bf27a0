"""A webhook sends what its templates say, and shows none of its secrets (notifications 6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Notification, Outcome, Refused
from pipeline.receiver import Callback, Receiver, Reply
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery, a_notification, an_event, an_occurrence
from delivery.receivers import PATIENCE

SECRET = "hunter22/+q8Zr 2"


@pytest.fixture
def tools() -> Iterator[Tools]:
    tools = Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, CapturingLogger())
    yield tools
    tools.http.close()


def _sent(tools: Tools, receiver: Receiver, told: Notification, **options: Any) -> Callback:
    """The one request that comes of it."""
    outcome = _outcome(tools, f"{receiver.url}/hook", told, **options)
    assert outcome == Delivered(200)
    (callback,) = receiver.callbacks
    return callback


def _outcome(tools: Tools, url: str, told: Notification | None = None, **options: Any) -> Outcome:
    target = targets.from_options("webhook", {"url": url, **options}, tools)
    return target.deliver(a_delivery("target:it", notification=told or a_notification()))


def _loaded(**options: Any) -> Any:
    return targets.loaded(targets.of_type("webhook"), {"url": "http://h/", **options})


# --- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "method"), [({}, "POST"), ({"method": "PUT"}, "PUT"), ({"method": "get"}, "GET")]
)
@pytest.mark.parametrize("body", ["", "ünï"])
def test_its_method_is_sent_with_a_content_length_always(
    tools: Tools, receiver: Receiver, asked: dict[str, str], method: str, body: str
) -> None:
    callback = _sent(tools, receiver, a_notification(), body=body, **asked)

    assert callback.method == method
    assert callback.headers["content-length"] == str(len(body.encode()))
    assert callback.body == body.encode()


def test_url_headers_and_body_are_templates(tools: Tools, receiver: Receiver) -> None:
    event = an_event(user="zoë & co", size=3)
    told = a_notification(
        alarm_name='quoted "name"',
        severity="moderate",
        reason="a\nb",
        reason_data={"type": "event", "event": event.as_dict()},
    )
    target = targets.from_options(
        "webhook",
        {
            "url": receiver.url + "/{{ fields.traits.user | url_encode }}?s={{ severity }}",
            "header": {
                "Authorization": "Bearer {{ secrets['api-key'] }}",
                "X-Name": "{{ title }}",
            },
            "body": '{"text": "{{ fields.reason | escape }}", "user": {{ traits.user | json }},'
            ' "at": {{ timestamp }}}',
            "secret": {"api-key": SECRET},
        },
        tools,
    )
    assert target.deliver(a_delivery("target:it", notification=told)) == Delivered(200)

    (callback,) = receiver.callbacks
    assert callback.path == "/zo%C3%AB%20%26%20co?s=moderate"
    assert callback.headers["authorization"] == f"Bearer {SECRET}"
    assert 'quoted "name"' in callback.headers["x-name"]
    assert json.loads(callback.body) == {
        "text": "a\nb",
        "user": "zoë & co",
        "at": int(NOON.timestamp()),
    }


def test_what_tells_of_no_alarm_has_its_fields(tools: Tools, receiver: Receiver) -> None:
    told = an_occurrence("digest", "error", count=3, nested={"a": [1]})
    callback = _sent(
        tools, receiver, told, body="{{ kind }} {{ fields.count }} {{ fields.nested | json }}"
    )

    assert callback.body == b'digest 3 {"a": [1]}'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"body": "x"}, "text/plain; charset=utf-8"),
        ({"body": "x", "header": {"Content-Type": "application/json"}}, "application/json"),
        ({}, None),
    ],
)
def test_a_body_is_said_to_be_text_unless_a_header_says_otherwise(
    tools: Tools, receiver: Receiver, options: dict[str, Any], said: str | None
) -> None:
    callback = _sent(tools, receiver, a_notification(), **options)

    assert callback.headers.get("content-type") == said


def test_an_events_text_cannot_break_out_of_a_header(tools: Tools, receiver: Receiver) -> None:
    told = a_notification(alarm_name="a\r\nx-admin: 1\r\n\r\nGET / HTTP/1.1", reason="✓ zoë")
    header = {"X-Name": "{{ fields.alarm_name }}", "X-Reason": "{{ fields.reason }}"}
    callback = _sent(tools, receiver, told, header=header)

    assert "x-admin" not in callback.headers
    assert callback.headers["x-name"].startswith("a x-admin: 1")
    assert callback.headers["x-reason"].encode("latin-1").decode() == "✓ zoë"


@pytest.mark.parametrize(
    "given",
    [
        {"X-A": "1", "X-B": "2: 3"},
        [{"name": "X-A", "value": "1"}, {"name": "X-B", "value": "2: 3"}],
        ["X-A: 1", "X-B: 2: 3"],
    ],
    ids=["mapping", "names and values", "lines"],
)
def test_headers_may_be_written_in_several_ways(given: Any) -> None:
    assert _loaded(header=given)["header"] == {"X-A": "1", "X-B": "2: 3"}


def test_a_secret_may_be_written_in_several_ways() -> None:
    for given in ({"a": "b=c"}, [{"name": "a", "value": "b=c"}], ["a=b=c"], "a=b=c"):
        assert _loaded(secret=given)["secret"] == {"a": "b=c"}


# --- secrets -------------------------------------------------------------------------------------


def _echo(callback: Callback) -> Reply:
    said = f"{callback.path}\n{callback.headers}\n{callback.body.decode()}"
    return Reply(400, body=said.encode())


def test_a_secret_that_is_repeated_in_any_spelling_is_hidden(tools: Tools) -> None:
    with Receiver(answer=_echo) as receiver:
        outcome = _outcome(
            tools,
            f"{receiver.url}/{{{{ secrets.key | url_encode }}}}",
            header={"X": "{{ secrets.key }}", "Y": "{{ secrets.key | json }}"},
            body='{{ secrets.key | json }} "{{ secrets.key | escape }}" {{ severity }}',
            secret={"key": SECRET},
        )

    assert isinstance(outcome, Refused)
    assert "hunter22" not in repr(outcome)
    assert outcome.response_head.endswith('"***" "***" low')


def test_a_secret_in_the_host_is_in_no_error(tools: Tools) -> None:
    key = {"key": "hunter22hunter22"}
    outcomes = [
        _outcome(tools, "http://{{ secrets.key }}.invalid/", secret=key),
        _outcome(tools, "http://{{ secrets.key }}:99999/", secret=key),
        _outcome(tools, "ftp://{{ secrets.key }}/", secret=key),
    ]

    assert [type(outcome) for outcome in outcomes] == [Failed, Refused, Refused]
    assert "hunter22" not in repr(outcomes)


def test_a_template_that_fails_says_which_and_no_secret(tools: Tools) -> None:
    outcome = _outcome(
        tools, "http://127.0.0.1:9/", body="{{ secrets.key.x.y }}", secret={"key": SECRET}
    )

    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("body: the template fails: ")
    assert "hunter22" not in outcome.reason


@pytest.mark.parametrize("asked", ["secrets.token", "secrets['token']"])
@pytest.mark.parametrize("option", ["url", "body", "header"])
def test_a_secret_that_is_not_there_is_named(option: str, asked: str) -> None:
    """notifications 1: nothing is ever sent with an empty secret."""
    template = f"http://h/{{{{ {asked} }}}}"
    given = {"X": template} if option == "header" else template

    with pytest.raises(InvalidValue, match=rf"{option}: There is no secret token"):
        _loaded(**{option: given}, secret={"other": SECRET})


# --- options that cannot be ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"url": "ftp://h/"}, "url: Not an http or https URL"),
        ({"url": "http://h/{{ oops"}, r"url: .*line 1"),
        ({"body": "{% for %}"}, r"body: .*line 1"),
        ({"header": {"X": "{{"}}, r"header: .*line 1"),
        ({"method": "delete"}, "method: Use one of post, put, get"),
        ({"header": {"X Y": "z"}}, "header: 'X Y' is no name of a header"),
        ({"header": {"Content-Length": "3"}}, "header: Content-Length is set by Tocsin"),
        ({"header": ["no separator"]}, "header: Give a name and a value"),
        ({"header": ["A: 1", "A: 2"]}, "header: One name stands there twice"),
        ({"secret": [{"name": "a", "value": 3}]}, "secret: Give a name and a value"),
        ({"signing_secret": "s3cr3t"}, "signing_secret: A signing secret is whsec_"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as refusal:
        _loaded(**options)
    assert "s3cr3t" not in str(refusal.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidValue, match=r"body: .*header: ") as refusal:
        _loaded(body="{{", header={"X Y": "{{ secrets.a }}"})
    assert str(refusal.value).count("header: ") == 2


def test_its_time_out_is_ten_seconds_unless_it_says_another(tools: Tools) -> None:
    found = targets.of_type("webhook")

    assert getattr(found, "timeout_seconds") == 10.0  # noqa: B009 - of this type alone
