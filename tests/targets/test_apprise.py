"""`apprise`: any of its services, with what they said in the outcome and their tokens nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
import structlog

from pipeline import targets
from pipeline.alarms.alarm import State
from pipeline.dispatch import receiver as receiver_of
from pipeline.errors import InvalidValue
from pipeline.logs import LogSettings, configure
from pipeline.masking import mask_url
from pipeline.notification import Delivered, Failed, Refused
from pipeline.receiver import Receiver, Reply

from builders import a_delivery, a_notification
from targets import scenes
from targets.making import made, options_of


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def _url(receiver: Receiver | str, rest: str = "") -> str:
    url = receiver if isinstance(receiver, str) else receiver.url
    return f"{url.replace('http:', 'json:')}/{rest}"


def _told(receiver: Receiver) -> Any:
    return json.loads(receiver.callbacks[-1].body)


def test_a_service_gets_title_and_body_in_its_own_form(receiver: Receiver) -> None:
    delivery = a_delivery(notification=a_notification(alarm_name="a & b"))
    said = {}
    for form in ("text", "markdown", "html"):
        with made("apprise", urls=[_url(receiver, f"?format={form}")]) as target:
            assert target.deliver(delivery) == Delivered()
        said[form] = _told(receiver)["message"]

    assert _told(receiver)["title"]
    assert "a & b" in said["text"]
    assert "a &amp; b" in said["html"]
    assert said["html"].lstrip().lower().startswith("<!doctype html>")
    assert said["markdown"] not in said["text"]


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("tgram://123456789:AAE9yi0zvT8BEYjo2XSPEBYkbqc-6RcTsQA/12315544/", "markdown"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "text"),
        ("mailtos://user:pass@example.com", "html"),
        ("rockets://user:pass@rocket.example/#ops", "markdown"),
    ],
)
def test_what_form_suits_a_service(url: str, start: str) -> None:
    from pipeline.targets import apprise

    class Words:
        title, text, html, markdown = "title", "text", "html", "markdown"

    words: Any = Words()
    assert apprise._fitting(apprise._library().plugin(url), words) == (start, start)


@pytest.mark.parametrize(
    ("severity", "current", "type"),
    [
        ("low", State.ALARM, "info"),
        ("moderate", State.ALARM, "warning"),
        ("critical", State.ALARM, "failure"),
        ("unknown", State.ALARM, "info"),
        ("critical", State.OK, "success"),
    ],
)
def test_severity_is_told_in_apprises_words(
    receiver: Receiver, severity: str, current: State, type: str
) -> None:
    told = a_notification(severity=severity, current=current)
    with made("apprise", urls=[_url(receiver)]) as target:
        target.deliver(a_delivery(notification=told))

    assert _told(receiver)["type"] == type


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, Refused), (404, Refused), (429, Failed), (503, Failed)]
)
def test_the_status_that_apprise_logs_says_what_became_of_it(status: int, outcome: type) -> None:
    with scenes.answering(status) as url, made("apprise", urls=[_url(url)]) as target:
        result = target.deliver(a_delivery())

    assert isinstance(result, outcome)
    assert result.status == status
    assert f"error={status}" in result.reason


def test_who_has_taken_it_is_not_told_again() -> None:
    answers = iter([503, 200])
    with (
        Receiver() as works,
        Receiver(answer=lambda callback: Reply(next(answers))) as limps,
        made("apprise", urls=[_url(works), _url(limps)]) as target,
    ):
        first = target.deliver(a_delivery())
        assert isinstance(first, Failed)
        second = target.deliver(a_delivery(progress=first.progress))

        assert (len(works.callbacks), len(limps.callbacks)) == (1, 2)
    assert isinstance(second, Delivered)


def test_a_message_that_takes_too_long_is_left_to_itself() -> None:
    with (
        scenes.trickling(b"HTTP/1.1 200 OK\r\n\r\n", b".") as url,
        made("apprise", urls=[_url(url)], timeout=0.3) as target,
    ):
        outcomes = [target.deliver(a_delivery()) for _ in range(9)]

    assert all(isinstance(outcome, Failed) for outcome in outcomes)
    assert "took longer than 0.3 s" in outcomes[0].reason
    assert "have not come to an end" in outcomes[-1].reason


def test_a_redirect_is_not_followed() -> None:
    with (
        Receiver() as elsewhere,
        Receiver(answer=lambda _: Reply(307, {"Location": elsewhere.url})) as receiver,
        made("apprise", urls=[_url(receiver)]) as target,
    ):
        outcome = target.deliver(a_delivery())

        assert elsewhere.callbacks == []
    assert isinstance(outcome, Failed)


def test_many_threads_hear_of_their_own_messages_only() -> None:
    def answer(status: int) -> Callable[[Any], Reply]:
        return lambda callback: Reply(status)

    with (
        Receiver(answer=answer(400)) as bad,
        Receiver(answer=answer(503)) as busy,
        made("apprise", urls=[_url(bad)]) as refused,
        made("apprise", urls=[_url(busy)]) as failed,
        ThreadPoolExecutor(6) as pool,
    ):
        many = [refused, failed] * 12
        outcomes = list(pool.map(lambda target: target.deliver(a_delivery()), many))

    assert [outcome.status for outcome in outcomes] == [400, 503] * 12


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What Tocsin's log says, at its most talkative."""
    root = logging.getLogger()
    level, written = root.level, StringIO()
    configure(LogSettings(level="debug", format="json"), written)
    yield written
    for handler in [each for each in root.handlers if each.get_name() == "tocsin"]:
        root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def test_nothing_that_apprise_says_reaches_our_log(logged: StringIO) -> None:
    with scenes.answering(500) as url:
        with made("apprise", urls=[_url(url, "hunter22")]) as target:
            target.deliver(a_delivery())
        with pytest.raises(InvalidValue):
            targets.check_action("tgram://hunter22")
    logging.getLogger("another").info("this is logged")

    assert "this is logged" in logged.getvalue()
    assert "hunter22" not in logged.getvalue()


# --- actions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "ntfys://topic",
        "tgram://123456789:AAE9yi0zvT8BEYjo2XSPEBYkbqc-6RcTsQA/12315544/",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mailtos://user:password@mail.example",
    ],
)
def test_a_scheme_that_no_other_type_has_is_apprises(action: str) -> None:
    targets.check_action(action)

    assert options_of("apprise", action) == {"urls": [action]}
    assert mask_url(action) == f"{action.partition('://')[0]}://***"
    assert receiver_of(action).partition("***")[0] == f"{action.partition('://')[0]}://"


@pytest.mark.parametrize("action", ["gotify://127.0.0.1/token", "slack://hooks.slack.com/a/b/c"])
def test_a_scheme_that_another_type_has_stays_its_own(action: str) -> None:
    assert targets._type_of(action) is not targets.of_type("apprise")


def test_a_url_that_lacks_something_is_refused_without_a_word_of_it() -> None:
    with pytest.raises(InvalidValue, match="a part that it needs is missing") as refusal:
        targets.check_action("tgram://hunter22")

    assert "hunter22" not in str(refusal.value)


def test_without_apprise_a_target_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.targets import apprise

    apprise._library.cache_clear()
    monkeypatch.setattr(apprise, "find_spec", lambda name: None)
    try:
        with pytest.raises(InvalidValue, match=r"pip install 'tocsin\[apprise\]'"):
            targets.loaded(targets.of_type("apprise"), {"urls": ["json://localhost"]})
        with pytest.raises(InvalidValue, match=r"Use one of .*amqp"):
            targets.check_action("ntfys://topic")
    finally:
        apprise._library.cache_clear()
