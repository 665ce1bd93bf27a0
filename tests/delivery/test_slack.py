"""Notifications appear in Slack as it wants them, and what it answers is an outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from pipeline import targets
from pipeline.alarms.alarm import State
from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.notification import Delivered, Failed, Notification, Outcome, Refused
from pipeline.receiver import Receiver, Reply
from pipeline.severity import WORDS
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.slack.message import (
    colour,
)

from builders import a_delivery, a_notification, an_event, an_occurrence
from delivery.notifying import Clock, Log
from delivery.receivers import PATIENCE
from delivery.slack_texts import texts_of

TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcBrzbqgy"


@contextmanager
def _target(log: Log | None = None, **options: Any) -> Iterator[Target]:
    tools = Tools.by(DeliverySettings(**PATIENCE), Clock(), log or Log())
    yield targets.from_options("slack", options, tools)
    tools.http.close()


def _posted(told: Notification, log: Log | None = None, **options: Any) -> dict[str, Any]:
    """What a webhook is sent."""
    with (
        Receiver(answer=lambda callback: Reply(200, body=b"ok")) as receiver,
        _target(log, webhook_url=f"{receiver.url}/services/T0/B0/x", **options) as target,
    ):
        outcome = target.deliver(a_delivery(notification=told))
    assert outcome == Delivered(200, "ok")
    posted: dict[str, Any] = receiver.callbacks[0].json()
    return posted


def _told(**traits: Any) -> Notification:
    event = an_event(event_type="identity.user.deleted", **traits)
    return a_notification(reason_data={"type": "event", "event": event.as_dict()})


# --- what is shown -------------------------------------------------------------------------------


def test_an_alarm_is_shown_with_its_traits_in_a_table() -> None:
    posted = _posted(_told(user_id="u-1", host="compute <1> & co"))

    (header,) = posted["blocks"]
    assert header["text"]["text"] == posted["text"] == "user-deleted: alarm"
    (bar,) = posted["attachments"]
    assert bar["color"] == "#0ca678"
    sentence, table, reason, context = bar["blocks"]
    assert sentence["text"]["text"] == (
        "`identity.user.deleted` has moved the alarm from _insufficient data_ to *alarm*."
    )
    assert [field["text"] for field in table["fields"]] == [
        "*user_id*\nu-1",
        "*host*\ncompute &lt;1&gt; &amp; co",
    ]
    assert reason["text"]["text"].startswith("```Event &lt;id=")
    assert "severity *low*" in context["elements"][0]["text"]


def test_what_is_no_alarm_is_shown_in_its_own_words() -> None:
    posted = _posted(an_occurrence("test", "info", text="look <here>"))

    assert any("look &lt;here&gt;" in text for text in texts_of(posted))


@pytest.mark.parametrize("word", WORDS)
def test_each_severity_has_its_colour(word: str) -> None:
    assert colour(a_notification(severity=word)).startswith("#")
    assert (colour(a_notification(severity=word)) == "#868e96") is (word == "unknown")
    assert colour(a_notification(severity=word, current=State.OK)) == "#2f9e44"


def test_links_lead_where_their_templates_say() -> None:
    links = {
        "Dashboard": "https://dash.example/user/{{ traits.user_id | url_encode }}?a=1&b=2",
        "Missing": "https://dash.example/{{ traits.nothing }}",
        "Script": "javascript:alert(1)",
        "Broken": "https://dash.example/{{ traits.user_id }}>|",
    }
    posted = _posted(_told(user_id="u/1|>"), links=links)

    (line,) = [text for text in texts_of(posted) if "|Dashboard>" in text]
    assert line == (
        "<https://dash.example/user/u%2F1%7C%3E?a=1&amp;b=2|Dashboard>"
        " · <https://dash.example/u/1%7C%3E%3E%7C|Broken>"
    )


def test_a_message_of_peoples_own_takes_the_place_of_ours() -> None:
    own = "*{{ traits.user_id }}* is gone, <https://runbook.example|what to do>"
    posted = _posted(_told(user_id="<!channel> & u"), message=own)

    assert texts_of(posted)[1] == (
        "*&lt;!channel&gt; &amp; u* is gone, <https://runbook.example|what to do>"
    )


def test_a_message_of_peoples_own_that_fails_is_done_without_and_told() -> None:
    log = Log()
    posted = _posted(_told(user_id="u"), log, message="{{ 1 / 0 }}")

    assert "*user_id*\nu" in texts_of(posted)
    assert len(log.lines("slack.template_failed")) == 1


def test_nothing_from_outside_calls_people_or_makes_a_link() -> None:
    hostile = "<!channel> <https://evil.example|login> <@U123>"
    told = a_notification(
        alarm_name=hostile,
        reason=hostile,
        severity=hostile,
        reason_data={"event": an_event(**{"a<!here>": hostile}, b="`x`").as_dict()},
    )
    texts = texts_of(_posted(told))

    allowed = [text.replace("<!date^", "") for text in texts]
    assert not any("<" in text for text in allowed)


# --- answers -------------------------------------------------------------------------------------


def _answered(reply: Reply, by_bot: bool = False) -> Outcome:
    with Receiver(answer=lambda callback: reply) as receiver:
        way: dict[str, str] = {"webhook_url": f"{receiver.url}/services/T0/B0/x"}
        if by_bot:
            way = {"token": TOKEN, "channel": "C024BE91L", "api_url": f"{receiver.url}/api"}
        with _target(**way) as target:
            return target.deliver(a_delivery())


@pytest.mark.parametrize(
    ("status", "word", "expected", "said"),
    [
        (400, "invalid_payload", Refused, "a bug"),
        (403, "action_prohibited", Refused, "an administrator"),
        (403, "invalid_token", Refused, "make a new webhook"),
        (404, "no_service", Refused, "make a new webhook"),
        (404, "channel_not_found", Refused, "invite the app"),
        (410, "channel_is_archived", Refused, "unarchive the channel"),
        (429, "rate_limited", Failed, "rate_limited"),
        (500, "rollup_error", Failed, "rollup_error"),
    ],
)
def test_what_a_webhook_answers_is_judged_and_mended(
    status: int, word: str, expected: type[Outcome], said: str
) -> None:
    outcome = _answered(Reply(status, body=word.encode()))

    assert isinstance(outcome, expected)
    assert isinstance(outcome, Refused | Failed)
    assert word in outcome.reason
    assert said in outcome.reason
    assert getattr(outcome, "gone", False) is (status == 410)


def test_a_webhook_that_is_called_too_often_says_when_to_come_again() -> None:
    outcome = _answered(Reply(429, {"Retry-After": "30"}, b"rate_limited"))

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=30)


def _said(**answer: Any) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


def test_a_bot_posts_to_its_channel() -> None:
    with Receiver(answer=lambda callback: _said(ok=True, channel="C1", ts="1.2")) as receiver:
        way = {"token": TOKEN, "channel": "C024BE91L", "api_url": f"{receiver.url}/api/"}
        with _target(**way) as target:
            outcome = target.deliver(a_delivery())
    (callback,) = receiver.callbacks

    assert isinstance(outcome, Delivered)
    assert (callback.method, callback.path) == ("POST", "/api/chat.postMessage")
    assert callback.headers["authorization"] == f"Bearer {TOKEN}"
    assert callback.headers["content-type"] == "application/json; charset=utf-8"
    posted = callback.json()
    assert posted["channel"] == "C024BE91L"
    assert posted["attachments"][0]["blocks"]


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        ("invalid_auth", Refused, "make a new token"),
        ("token_revoked", Refused, "make a new token"),
        ("channel_not_found", Refused, "invite the app"),
        ("not_in_channel", Refused, "/invite @app"),
        ("is_archived", Refused, "unarchive"),
        ("restricted_action", Refused, "an administrator"),
        ("msg_too_long", Refused, "a bug"),
        ("ratelimited", Failed, "ratelimited"),
        ("internal_error", Failed, "internal_error"),
        ("fatal_error", Failed, "fatal_error"),
        ("team_added_to_org", Failed, "team_added_to_org"),
        ("an_error_of_tomorrow", Failed, "an_error_of_tomorrow"),
    ],
)
def test_what_the_api_says_is_no_success_though_the_status_is(
    error: str, expected: type[Outcome], said: str
) -> None:
    outcome = _answered(_said(ok=False, error=error), by_bot=True)

    assert isinstance(outcome, expected)
    assert isinstance(outcome, Refused | Failed)
    assert f"Slack says {error}" in outcome.reason
    assert said in outcome.reason


def test_what_is_missing_is_said() -> None:
    scope = _answered(_said(ok=False, error="missing_scope", needed="chat:write"), by_bot=True)
    metadata = {"messages": ["[ERROR] must be less than 3001 characters"]}
    blocks = _answered(
        _said(ok=False, error="invalid_blocks", response_metadata=metadata), by_bot=True
    )

    assert isinstance(scope, Refused)
    assert "missing_scope (chat:write)" in scope.reason
    assert isinstance(blocks, Refused)
    assert "([ERROR] must be less than" in blocks.reason


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b"{}", b'{"ok": 1}', b'{"error": 7}', b"<p>"])
def test_an_answer_that_is_none_of_slacks_has_failed(body: bytes) -> None:
    assert isinstance(_answered(Reply(200, body=body), by_bot=True), Failed)


def test_the_api_that_is_called_too_often_says_when_to_come_again() -> None:
    limited = Reply(429, {"Retry-After": "30"}, b'{"ok":false,"error":"ratelimited"}')
    outcome = _answered(limited, by_bot=True)

    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=30)


# --- secrets and actions -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_token_that_is_repeated_is_not_kept(status: int) -> None:
    def echo(callback: Any) -> Reply:
        return Reply(status, body=f"{callback.headers} {callback.body!r}".encode())

    with Receiver(answer=echo) as receiver:
        way = {"token": TOKEN, "channel": "C1", "api_url": f"{receiver.url}/api"}
        with _target(**way) as target:
            outcome = target.deliver(a_delivery())

    assert TOKEN not in repr(outcome)
    assert "Bearer ***" in outcome.response_head


@pytest.mark.parametrize(
    ("action", "options", "shown"),
    [
        (
            "slack://hooks.slack.com/services/T00/B00/s3cr3t",
            {"webhook_url": "https://hooks.slack.com/services/T00/B00/s3cr3t"},
            "slack://hooks.slack.com/***",
        ),
        (
            "SLACK://mattermost.example:8443/hooks/s3cr3t",
            {"webhook_url": "https://mattermost.example:8443/hooks/s3cr3t"},
            "SLACK://mattermost.example:8443/***",
        ),
        (
            "slack://xoxb-s3cr3t@slack.com/C024BE91L",
            {
                "token": "xoxb-s3cr3t",
                "channel": "C024BE91L",
                "api_url": "https://slack.com/api",
            },
            "slack://***@slack.com/C024BE91L",
        ),
        (
            "slack://xoxb-s3cr3t@slack-gov.com/%23alerts/",
            {
                "token": "xoxb-s3cr3t",
                "channel": "#alerts",
                "api_url": "https://slack-gov.com/api",
            },
            "slack://***@slack-gov.com/%23alerts/",
        ),
    ],
)
def test_an_action_stands_for_a_webhook_or_a_channel(
    action: str, options: Mapping[str, str], shown: str
) -> None:
    targets.check_action(action)

    assert targets.of_type("slack").options_of(action) == options
    assert mask_url(f"to {action}, it said") == f"to {shown}".rstrip(",") + (
        ", it said" if "@" in action else " it said"
    )


def test_a_webhook_that_stands_as_an_ordinary_action_is_masked_as_well() -> None:
    said = mask_url("https://hooks.slack.com/services/T00/B00/s3cr3t?x=1 took too long")

    assert said == "https://hooks.slack.com/services/***?x=1 took too long"


@pytest.mark.parametrize(
    "action",
    [
        "slack://",
        "slack://hooks.slack.com",
        "slack://hooks.slack.com/services/s3cr3t?channel=x",
        "slack://xoxb-s3cr3t@slack.com/",
        "slack://xoxb-s3cr3t@slack.com/#alerts",
        "slack://xoxb:s3cr3t@slack.com/alerts",
        "slack://host:x/services/s3cr3t",
    ],
)
def test_an_action_that_leads_nowhere_is_refused(action: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        targets.check_action(action)

    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": TOKEN},
        {"channel": "C1"},
        {"webhook_url": "https://h/x", "token": TOKEN, "channel": "C1"},
        {"webhook_url": "hooks.slack.com/services/s3cr3t"},
        {"webhook_url": "https://h/x", "message": "{{ x"},
    ],
)
def test_options_that_make_no_sense_are_refused(options: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidValue) as caught, _target(**options):
        pass

    assert TOKEN not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
