"""A guarded delivery reaches public addresses only, however its URL is spelled (delivery 9)."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.receiver import Receiver, Reply
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.answer import judge
from pipeline.targets.http import HttpSender, Request
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.way import ORDINARY, Way

from builders import NOON, a_transition, an_alarm, an_event
from delivery.notifying import notifier
from delivery.receivers import PATIENCE

Found = tuple[Any, ...]


@contextmanager
def _sender(**settings: Any) -> Iterator[HttpSender]:
    sender = HttpSender(DeliverySettings(**{**PATIENCE, **settings}))
    yield sender
    sender.close()


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=sqlite_url)) as store:
        yield store


def _post(sender: HttpSender, url: str, guarded: bool = True, way: Way = ORDINARY) -> Outcome:
    request = Request(url, b"{}", {"content-type": "application/json"})
    return sender.send(request, lambda answer: judge(answer, NOON), way=way, guarded=guarded)


def _found(*hosts: str, port: int) -> list[Found]:
    """What a look-up gives."""
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 0, "", (host, port, 0, 0))
        if ":" in host
        else (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))
        for host in hosts
    ]


class Resolver:
    """Gives one answer after the other, the last again and again; counts the questions."""

    def __init__(self, *answers: Sequence[Found]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, *args: Any, **kwargs: Any) -> Sequence[Found]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


# --- spellings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "user@127.0.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "[fe80::1]",
        "100.64.0.1",
    ],
)
def test_no_spelling_of_a_url_leads_past_the_guard(receiver: Receiver, host: str) -> None:
    with _sender() as sender:
        outcome = _post(sender, f"http://{host}:{receiver.port}/")

    assert isinstance(outcome, (Refused, Failed))
    assert receiver.callbacks == []
    if isinstance(outcome, Failed):  # a name that the system does not take for an address
        assert "does not resolve" in outcome.reason


def test_what_is_refused_says_why_and_not_which_address(receiver: Receiver) -> None:
    with _sender() as sender:
        outcome = _post(sender, f"http://localhost:{receiver.port}/")

    assert outcome == Refused(
        f"http://localhost:{receiver.port} leads to a loopback address, where this delivery may"
        " not go (delivery.guard). An admin can allow it in delivery.guard_allow"
    )


# --- look-ups ------------------------------------------------------------------------------------


def test_a_name_that_leads_inside_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(_found("127.0.0.1", port=receiver.port)))
    with _sender() as sender:
        outcome = _post(sender, "http://innocent.example.org/")

    assert isinstance(outcome, Refused)
    assert receiver.callbacks == []


def test_a_name_is_looked_up_once_and_what_was_judged_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second answer would be another, and nobody asks for it."""
    dead = _found("127.0.0.2", port=9)
    resolver = Resolver(dead, _found("127.0.0.1", port=receiver.port))
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with _sender(guard_allow=("127.0.0.2",)) as sender:
        first = _post(sender, "http://rebinding.example.org/")
        asked = resolver.asked
        second = _post(sender, "http://rebinding.example.org/")

    assert asked == 1
    assert isinstance(first, Failed)
    assert first.reason.endswith("connection refused")
    assert isinstance(second, Refused)
    assert receiver.callbacks == []


def test_of_several_addresses_only_those_are_called_that_may_be(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.2", receiver.port)) as inside:
        inside.settimeout(0.0)
        found = _found("127.0.0.2", "::1", "127.0.0.1", port=receiver.port)
        monkeypatch.setattr(socket, "getaddrinfo", Resolver(found))
        with _sender(guard_allow=("127.0.0.1",)) as sender:
            outcome = _post(sender, "http://many.example.org/")

        with pytest.raises(BlockingIOError):
            inside.accept()
    assert outcome == Delivered(200)


def test_a_redirect_inside_is_not_followed() -> None:
    with Receiver() as inside:
        to = Reply(307, {"Location": f"{inside.url}/latest/meta-data"})
        with (
            Receiver(answer=lambda callback: to) as outside,
            _sender(guard_allow=("127.0.0.1",)) as sender,
        ):
            outcome = _post(sender, outside.url)

        assert inside.callbacks == []
    assert isinstance(outcome, Refused)


# --- kept connections ----------------------------------------------------------------------------


def test_a_kept_connection_is_not_used_across_guard_levels(receiver: Receiver) -> None:
    with _sender() as sender:
        free = _post(sender, receiver.url, guarded=False)
        guarded = _post(sender, receiver.url)

    assert free == Delivered(200)
    assert isinstance(guarded, Refused)
    assert len(receiver.callbacks) == 1


# --- the settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "guarded", "goes"),
    [
        ("non-admins", True, False),
        ("non-admins", False, True),
        ("all", True, False),
        ("all", False, False),
        ("none", True, True),
        ("none", False, True),
    ],
)
def test_the_settings_say_which_deliveries_are_guarded(
    receiver: Receiver, guard: str, guarded: bool, goes: bool
) -> None:
    with _sender(guard=guard) as sender:
        outcome = _post(sender, receiver.url, guarded=guarded)

    assert isinstance(outcome, Delivered if goes else Refused)


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1", "2130706433"),
        ("localhost", "localhost"),
        ("127.0.0.0/8", "[::ffff:127.0.0.1]"),
    ],
)
def test_the_allow_list_lifts_the_guard(receiver: Receiver, entry: str, host: str) -> None:
    with _sender(guard_allow=(entry, "::1")) as sender:
        outcome = _post(sender, f"http://{host}:{receiver.port}/")

    assert outcome == Delivered(200)


def test_an_allow_list_that_cannot_be_read_is_said_at_the_start() -> None:
    with pytest.raises(
        InvalidValue, match=r"delivery\.guard_allow: '10\.0\.0\.1/8' is no network"
    ):
        HttpSender(DeliverySettings(guard_allow=("10.0.0.1/8",)))


# --- proxies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [True, False])
def test_a_guarded_delivery_does_not_go_through_a_proxy(receiver: Receiver, own: bool) -> None:
    """Where the proxy would go with it cannot be seen."""
    with Receiver() as proxy:
        way = Way(proxy=proxy.url) if own else ORDINARY
        with _sender(proxy=None if own else proxy.url) as sender:
            outcome = _post(sender, "http://hooks.example.org/", way=way)

        assert proxy.callbacks == []
    assert isinstance(outcome, Refused)
    assert f"leads to the proxy {proxy.url}" in outcome.reason


@pytest.mark.parametrize("allowed", [("hooks.example.org",), ("0.0.0.0/0", "::/0")])
def test_what_is_allowed_whatever_its_address_may_go_through_a_proxy(
    allowed: tuple[str, ...],
) -> None:
    with Receiver() as proxy, _sender(proxy=proxy.url, guard_allow=allowed) as sender:
        outcome = _post(sender, "http://hooks.example.org/x")

        assert [callback.path for callback in proxy.callbacks] == ["http://hooks.example.org/x"]
    assert outcome == Delivered(200)


# --- through the notifier ------------------------------------------------------------------------


@pytest.mark.parametrize("guarded", [True, False])
def test_an_alarm_whose_actions_are_not_an_admins_is_guarded(
    store: SqlStore, receiver: Receiver, guarded: bool
) -> None:
    alarm = store.create(an_alarm(alarm_actions=[receiver.url], guarded=guarded))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, an_event(), at=NOON)])
    assert notifier(store).run_once() == 1

    assert len(receiver.callbacks) == (0 if guarded else 1)
    (record,) = store.deliveries()
    assert record.state == ("dead" if guarded else "delivered")


def test_a_type_that_cannot_promise_to_heed_the_guard_is_for_admins_alone(
    store: SqlStore,
) -> None:
    """As one that connects by a library of its own."""
    blind = _Blind()
    alarm = store.create(an_alarm(alarm_actions=["blind://10.0.0.1"], guarded=True))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, an_event(), at=NOON)])
    notifier(store, targets=blind).run_once()

    assert blind.delivered == 0
    (record,) = store.deliveries()
    assert record.state == "dead"
    assert "blind:// cannot be held to public addresses" in record.last_error


@pytest.mark.parametrize(("guard", "delivered"), [("all", 0), ("non-admins", 1), ("none", 1)])
def test_where_all_are_guarded_such_a_type_is_for_nobody(
    store: SqlStore, guard: str, delivered: int
) -> None:
    blind = _Blind()
    alarm = store.create(an_alarm(alarm_actions=["blind://10.0.0.1"], guarded=False))
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(alarm, an_event(), at=NOON)])
    notifier(store, targets=blind, guard=guard).run_once()

    assert blind.delivered == delivered


class _Blind:
    """A target, and the source of it."""

    delivered = 0

    def for_action(self, action: str) -> _Blind:
        return self

    def deliver(self, delivery: Delivery) -> Outcome:
        self.delivered += 1
        return Delivered()

    def close(self) -> None:
        """Nothing to let go of."""
