"""A message to Gotify is Proxmox's, header by header (notifications 5)."""

from __future__ import annotations

import pytest
from structlog.testing import CapturingLogger

from pipeline import severity, targets
from pipeline.receiver import Callback, Receiver
from pipeline.targets.base import Tools
from pipeline.targets.gotify import PRIORITIES
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery, a_notification
from delivery.receivers import PATIENCE


def _pushed(receiver: Receiver, action: str | None = None, **changes: object) -> Callback:
    tools = Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, CapturingLogger())
    if action is None:
        options = {"server": f"{receiver.url}/base/", "token": "A-secret"}
        target = targets.from_options("gotify", options, tools)
    else:
        target = targets.from_action(action, tools)
    target.deliver(a_delivery("target:phone", notification=a_notification(**changes)))
    tools.http.close()
    (callback,) = receiver.callbacks
    return callback


def test_a_message_is_posted_with_the_token_in_the_headers(receiver: Receiver) -> None:
    callback = _pushed(receiver, alarm_name="user deleted")

    assert (callback.method, callback.path) == ("POST", "/base/message")
    assert callback.headers["authorization"] == "Bearer A-secret"
    assert callback.headers["x-gotify-key"] == "A-secret"
    assert callback.headers["content-length"] == str(len(callback.body))
    message = callback.json()
    assert message.keys() == {"title", "message", "priority", "extras"}
    assert "user deleted" in message["title"]
    assert message["message"].startswith("```\n")
    assert message["message"].endswith("\n```")
    assert message["extras"] == {"client::display": {"contentType": "text/markdown"}}


@pytest.mark.parametrize(
    ("word", "priority"),
    [("info", 1), ("notice", 3), ("warning", 5), ("error", 9), ("unknown", 3), ("critical", 10)],
)
def test_severity_is_told_as_priority(receiver: Receiver, word: str, priority: int) -> None:
    assert _pushed(receiver, severity=word).json()["priority"] == priority


def test_every_severity_has_a_priority_in_its_order() -> None:
    assert PRIORITIES.keys() == set(severity.WORDS)
    ranked = sorted(severity.RANKS, key=severity.RANKS.__getitem__)
    priorities = [PRIORITIES[word] for word in ranked]
    assert priorities == sorted(priorities)


def test_nothing_in_the_text_ends_the_code_fence(receiver: Receiver) -> None:
    message = _pushed(receiver, reason="a ``` fence").json()["message"]

    assert message.startswith("````\n")
    assert message.endswith("\n````")


def test_an_action_names_server_and_token(receiver: Receiver) -> None:
    """alarms 8."""
    callback = _pushed(receiver, receiver.url.replace("http", "gotify") + "/base/A-secret")

    assert callback.path == "/base/message"
    assert callback.headers["x-gotify-key"] == "A-secret"
