"""Receivers that fail, or that are to be told less, are spared; nobody else is slowed
(delivery 8, 11, 12)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from pipeline.dispatch import Entry, MatcherEntry, TargetEntry
from pipeline.dispatch.live import LiveRouting
from pipeline.notification import Delivered, Delivery, Failed, Notification, Outcome, Refused
from pipeline.notifier import Notifier
from pipeline.planner import Planner
from pipeline.retry import DEFAULT_DELAYS
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.settings import DeliverySettings

from builders import an_occurrence
from delivery.notifying import Clock, Log, real_clock, tell
from waiting import eventually, running

BAD, GOOD = "test://bad", "test://good"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as store:
        yield store


class Receivers:
    """Targets by action, each with what it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.told: list[tuple[str, Notification]] = []
        self._lock = threading.Lock()

    def for_action(self, action: str) -> Receivers:
        return self

    def deliver(self, delivery: Delivery) -> Outcome:
        with self._lock:
            self.told.append((delivery.action, delivery.notification))
        answer = self.answers.get(delivery.action, Delivered(200))
        return answer(delivery) if callable(answer) else answer

    def close(self) -> None:
        pass

    def count(self, action: str) -> int:
        return sum(told == action for told, _ in self.told)


@pytest.fixture
def receivers() -> Receivers:
    return Receivers()


def _live(*entries: Entry) -> LiveRouting:
    live = LiveRouting()
    live.load(1, entries, {})
    return live


def _notifier(
    store: SqlStore,
    receivers: Receivers,
    clock: Callable[[], Any],
    *entries: Entry,
    log: Log | None = None,
    **settings: Any,
) -> Notifier:
    live, log = _live(*entries), log or Log()
    planner = Planner(live, log)
    return Notifier(
        outbox=store,
        targets=receivers,
        settings=DeliverySettings(**settings),
        clock=clock,
        random=lambda: 0.0,
        log=log,
        live=live,
        plan=lambda notification: planner.planned(notification, (), clock()).actions,
    )


def _states(store: SqlStore, action: str | None = None) -> Counter[str]:
    return Counter(record.state for record in store.deliveries(action=action, limit=1000))


def _send(store: SqlStore, action: str, count: int) -> list[str]:
    """So many notifications to this action; their ids."""
    told = [an_occurrence("message", text=f"number {number}") for number in range(count)]
    for notification in told:
        with store.begin() as transaction:
            transaction.save_notification(notification, [action])
    return [notification.notification_id for notification in told]


# --- the breaker ---------------------------------------------------------------------------------


def test_a_receiver_that_fails_is_left_alone_and_its_deliveries_wait(
    store: SqlStore, clock: Clock, log: Log, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Failed("503")
    tell(store, *[BAD] * 30, *[GOOD] * 5)
    notify = _notifier(store, receivers, clock, log=log, threads=1)
    notify.run_once()
    tried = receivers.count(BAD)
    notify.run_once()

    assert 10 <= tried <= 12
    assert receivers.count(BAD) == tried
    assert _states(store) == {"pending": 30, "delivered": 5}
    untried = [record for record in store.deliveries(action=BAD) if not record.attempts]
    assert len(untried) == 30 - tried
    (line,) = log.lines("receiver.spared")
    assert line["receiver"] == BAD


def test_after_a_pause_one_delivery_probes_for_all_notifiers(
    store: SqlStore, clock: Clock, log: Log, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Failed("503")
    tell(store, *[BAD] * 30)
    one = _notifier(store, receivers, clock, log=log)
    other = _notifier(store, receivers, clock, log=log)
    one.run_once()
    made = receivers.count(BAD)
    clock.step(seconds=31)

    assert (one.run_once(), other.run_once()) == (1, 0)
    clock.step(seconds=29)
    assert (one.run_once(), other.run_once()) == (0, 0)
    clock.step(seconds=2)
    receivers.answers[BAD] = Delivered(200)
    other.run_once()

    assert receivers.count(BAD) >= made + 2
    clock.step(minutes=6)
    one.run_once()
    assert _states(store) == {"delivered": 30}
    assert len(log.lines("receiver.recovered")) == 1


def test_another_notifier_claims_nothing_of_what_one_has_found_out(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Failed("503")
    tell(store, *[BAD] * 40)
    _notifier(store, receivers, clock).run_once()
    tried = receivers.count(BAD)

    assert store.claim(100, DEFAULT_DELAYS[0], clock.now) == []
    assert _notifier(store, receivers, clock).run_once() == 0
    assert receivers.count(BAD) == tried


def test_refusals_do_not_open_it(store: SqlStore, clock: Clock, receivers: Receivers) -> None:
    receivers.answers[BAD] = Refused("404 Not Found", 404)
    tell(store, *[BAD] * 30)

    assert _notifier(store, receivers, clock).run_once() == 30
    assert store.breakers() == {}


def test_a_probe_that_asked_nobody_does_not_close_it(
    store: SqlStore, clock: Clock, log: Log, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Failed("503")
    tell(store, *[BAD] * 30)
    notify = _notifier(store, receivers, clock, log=log)
    notify.run_once()
    receivers.answers[BAD] = Refused("there is no such target", asked=False)
    clock.step(seconds=31)

    assert notify.run_once() == 1
    assert store.breakers()[BAD].is_open
    assert log.lines("receiver.recovered") == []


def test_a_notifier_that_died_while_it_probed_leaves_the_probe_to_another(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Failed("503")
    tell(store, *[BAD] * 30)
    notify = _notifier(store, receivers, clock)
    notify.run_once()
    clock.step(seconds=31)
    lease = DEFAULT_DELAYS[1]
    (lost,) = store.claim_probes({}, lease, clock.now)

    assert store.claim_probes({}, lease, clock.now) == []
    clock.now += lease
    (again,) = store.claim_probes({}, lease, clock.now)
    assert store.breakers()[BAD].probe == again.delivery_id
    store.release([again])
    assert len(store.claim_probes({}, lease, clock.now)) == 1
    assert lost.lease != again.lease


def test_nothing_is_written_of_receivers_that_work(
    store: SqlStore, clock: Clock, receivers: Receivers, database_url: str
) -> None:
    tell(store, *[GOOD] * 30)
    _notifier(store, receivers, clock).run_once()

    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        for table in ("receiver_breaker", "receiver_pace"):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    engine.dispose()


def test_four_receivers_that_hang_leave_threads_to_the_others(database_url: str) -> None:
    """Sixteen threads, four for each: they held them all."""
    receivers, ended = Receivers(), threading.Event()
    hanging = [f"test://hanging-{number}" for number in range(4)]
    for action in hanging:
        receivers.answers[action] = lambda delivery: Failed("hung" if ended.wait() else "")
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        tell(store, *hanging * 10)
        notify = _notifier(store, receivers, real_clock, poll_seconds=0.05)
        with running(notify):
            eventually(lambda: sum(map(receivers.count, hanging)) >= 12)
            tell(store, *[GOOD] * 50)
            notify.wake()
            eventually(lambda: _states(store, GOOD)["delivered"] == 50)
            ended.set()


# --- five days, and 410 --------------------------------------------------------------------------


def _fail_for_days(
    store: SqlStore, clock: Clock, notify: Notifier, days: int, action: str = BAD
) -> None:
    for _ in range(days * 4 + 1):
        tell(store, *[action] * 3, at=clock.now)
        notify.run_once()
        clock.step(hours=6)


def test_five_days_of_failures_disable_it_and_say_so(
    database_url: str, clock: Clock, log: Log, receivers: Receivers
) -> None:
    settings = DatabaseSettings(url=database_url)
    with SqlStore.open(settings, clock=clock, told=("log://",)) as store:
        receivers.answers[BAD] = Failed("503")
        admins = TargetEntry("admins", "log")
        everything = MatcherEntry("everything", ("admins",), ("exact:kind=target-disabled",))
        notify = _notifier(store, receivers, clock, admins, everything, log=log, storm="off")
        _fail_for_days(store, clock, notify, 5)
        tell(store, BAD, at=clock.now)
        notify.run_once()
        (told,) = [told for action, told in receivers.told if action == "target:admins"]
        publications = store.claim_publications(1_000, DEFAULT_DELAYS[0], clock.now)
        events = [event for publication in publications for event in publication.events]
        (event,) = [event for event in events if event.event_type == "target.disabled"]

        assert told.kind == "target-disabled"
        assert told.fields["target"] == BAD
        assert event.event_type == "target.disabled"
        assert event.values["target"] == BAD
        assert len(log.lines("target.disabled")) == 1
        assert store.counts().disabled_actions == {f"{BAD}/*": "it only failed for 5 days"}
        assert _states(store, BAD)["pending"] == 0
        before = receivers.count(BAD)
        receivers.answers[BAD] = Delivered(200)
        store.replay_dead(clock.now, action=BAD)
        notify.run_once()
        assert receivers.count(BAD) > before
        assert _states(store, BAD).keys() == {"delivered"}


def test_a_target_is_enabled_by_name(store: SqlStore, clock: Clock, receivers: Receivers) -> None:
    mail = TargetEntry("mail", "log")
    receivers.answers["target:mail"] = Failed("connection refused")
    notify = _notifier(store, receivers, clock, mail)
    _fail_for_days(store, clock, notify, 5, "target:mail")

    assert store.counts().disabled_actions.keys() == {"target:mail"}
    assert store.enable("target:mail")
    assert [entry.change.kind for entry in store.changes(name="target:mail")] == ["receiver"]
    assert store.breakers() == {}
    receivers.answers.clear()
    tell(store, "target:mail", at=clock.now)
    assert notify.run_once() >= 1
    assert not store.enable("target:mail")


def test_410_says_that_its_action_is_disabled(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    """delivery 4."""
    action = "https://gone.example/hook?token=s3cr3t"
    receivers.answers[action] = Refused("410 Gone", 410, gone=True)
    everything = MatcherEntry("everything", ("admins",), ("exact:kind=target-disabled",))
    entries = TargetEntry("admins", "log"), everything
    tell(store, action, action)
    _notifier(store, receivers, clock, *entries, threads=1).run_once()

    (told,) = [told for to, told in receivers.told if to == "target:admins"]
    assert told.kind == "target-disabled"
    assert "s3cr3t" not in str(told.fields)


# --- fallbacks -----------------------------------------------------------------------------------


def test_a_fallback_takes_what_could_not_be_delivered_once(
    store: SqlStore, clock: Clock, log: Log, receivers: Receivers
) -> None:
    """delivery 11."""
    receivers.answers["target:chat"] = Refused("404 Not Found", 404)
    chat = TargetEntry("chat", "log", fallback="mail")
    notify = _notifier(store, receivers, clock, chat, TargetEntry("mail", "log"), log=log)
    (told,) = _send(store, "target:chat", 1)
    notify.run_once()
    store.replay_dead(clock.now)
    notify.run_once()

    (record,) = store.deliveries(action="target:mail")
    (dead,) = store.deliveries(state="dead")
    assert (record.state, record.notification_id) == ("delivered", told)
    assert record.fallback_for == dead.delivery_id
    assert len(log.lines("delivery.handed_on")) == 1


def test_fallbacks_in_a_circle_come_to_an_end(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    for name in "abc":
        receivers.answers[f"target:{name}{name}"] = Refused("no")
    circle = [TargetEntry(f"{a}{a}", "log", fallback=f"{b}{b}") for a, b in ("ab", "bc", "ca")]
    _send(store, "target:aa", 1)
    notify = _notifier(store, receivers, clock, *circle)

    assert [notify.run_once() for _ in range(3)] == [3, 0, 0]
    assert _states(store) == {"dead": 3}


def test_the_fallback_of_the_settings_takes_what_has_none_of_its_own(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Refused("404")
    receivers.answers["target:mail"] = Refused("550")
    mail = TargetEntry("mail", "log")
    tell(store, BAD)
    _notifier(store, receivers, clock, mail, fallback="mail").run_once()

    assert _states(store, "target:mail") == {"dead": 1}
    assert len(store.deliveries()) == 2


def test_what_dies_of_a_target_that_was_disabled_goes_to_no_fallback(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers["target:off"] = Refused("disabled")
    tell(store, "target:off")
    off = TargetEntry("off", "log", disable=True, fallback="mail")
    _notifier(store, receivers, clock, off, TargetEntry("mail", "log")).run_once()

    assert [record.action for record in store.deliveries()] == ["target:off"]


def test_a_fallback_that_is_disabled_takes_nothing(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers[BAD] = Refused("404")
    tell(store, BAD)
    mail = TargetEntry("mail", "log", disable=True)
    _notifier(store, receivers, clock, mail, fallback="mail").run_once()

    assert len(store.deliveries()) == 1


# --- bounds of a target --------------------------------------------------------------------------


def test_two_notifiers_keep_to_one_rate_together_and_the_rest_waits_in_order(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    slow = TargetEntry("slow", "log", guards={"rate-limit": "10/60s"})
    ids = _send(store, "target:slow", 25)
    pair = [_notifier(store, receivers, clock, slow, threads=1) for _ in range(2)]

    made = []
    for _ in range(4):
        made.append(sum(notify.run_once() for notify in pair))
        clock.step(seconds=30)

    assert made == [10, 5, 5, 5]
    assert sorted(told.notification_id for _, told in receivers.told) == sorted(ids)


def test_a_targets_own_retry_delays_hold(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    """delivery 5: configurable per target, and the others keep the settings'."""
    receivers.answers["target:hasty"] = receivers.answers[BAD] = Failed("500")
    hasty = TargetEntry("hasty", "log", guards={"retry-delays": "10s,20s"})
    tell(store, "target:hasty", BAD)
    notify = _notifier(store, receivers, clock, hasty, retry_delays_seconds=(3600.0,))
    for _ in range(3):
        notify.run_once()
        clock.step(seconds=20)

    assert receivers.count("target:hasty") == 3
    assert _states(store, "target:hasty")["dead"] == 1
    assert receivers.count(BAD) == 1


def test_a_targets_own_concurrency_holds(database_url: str) -> None:
    receivers, ended = Receivers(), threading.Event()
    receivers.answers["target:one"] = lambda delivery: Delivered(200 if ended.wait() else None)
    one = TargetEntry("one", "log", guards={"concurrency": 1})
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        tell(store, *["target:one"] * 3, *[GOOD] * 20)
        with running(_notifier(store, receivers, real_clock, one, poll_seconds=0.05)):
            eventually(lambda: _states(store, GOOD)["delivered"] == 20)
            assert receivers.count("target:one") == 1
            ended.set()
            eventually(lambda: _states(store, "target:one")["delivered"] == 3)


def _mail(**guards: str) -> TargetEntry:
    return TargetEntry("mail", "log", guards={"storm": "20/60s", **guards})


def test_a_storm_becomes_one_digest_that_two_notifiers_agree_on(
    store: SqlStore, clock: Clock, log: Log, receivers: Receivers
) -> None:
    """delivery 12."""
    pair = [_notifier(store, receivers, clock, _mail(), log=log) for _ in range(2)]
    ids = _send(store, "target:mail", 100)
    for notify in pair:
        notify.run_once()
    told_at_once = receivers.count("target:mail")
    clock.step(seconds=61)
    for notify in pair:
        notify.run_once()

    digests = [told for _, told in receivers.told if told.kind == "digest"]
    (digest_record,) = [r for r in store.deliveries() if r.notification_id not in ids]
    combined = store.deliveries(digest_id=digest_record.delivery_id, limit=1000)
    assert told_at_once == 20
    assert [digest.fields["count"] for digest in digests] == [80]
    assert len(digests[0].fields["notifications"]) == 20
    assert {record.state for record in combined} == {"digested"}
    singly = [told.notification_id for _, told in receivers.told if told.kind != "digest"]
    assert sorted([*singly, *(record.notification_id for record in combined)]) == sorted(ids)
    assert [line["deliveries"] for line in log.lines("delivery.combined")] == [80]


def test_after_the_storm_each_is_told_by_itself_again(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    notify = _notifier(store, receivers, clock, _mail())
    _send(store, "target:mail", 30)
    notify.run_once()
    clock.step(seconds=61)
    notify.run_once()
    _send(store, "target:mail", 3)
    notify.run_once()

    assert [told.kind for _, told in receivers.told[-3:]] == ["message"] * 3


def test_one_that_is_left_of_a_storm_is_told_as_it_is(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    notify = _notifier(store, receivers, clock, _mail())
    _send(store, "target:mail", 21)
    notify.run_once()
    clock.step(seconds=61)
    notify.run_once()

    assert [told.kind for _, told in receivers.told] == ["message"] * 21


def test_a_digest_that_cannot_be_delivered_goes_to_the_fallback(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    def only_digests(delivery: Delivery) -> Outcome:
        return Refused("no") if delivery.notification.kind == "digest" else Delivered(200)

    receivers.answers["target:mail"] = only_digests
    mail = TargetEntry("mail", "log", guards={"storm": "1/60s"}, fallback="pager")
    notify = _notifier(store, receivers, clock, mail, TargetEntry("pager", "log"))
    _send(store, "target:mail", 5)
    notify.run_once()
    clock.step(seconds=61)
    notify.run_once()

    (told,) = [told for action, told in receivers.told if action == "target:pager"]
    assert (told.kind, told.fields["count"]) == ("digest", 4)


def test_targets_for_people_are_guarded_by_default_and_callbacks_are_not(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    entries = [
        TargetEntry("mail", "smtp"),
        TargetEntry("all-mail", "smtp", guards={"storm": "off"}),
        TargetEntry("hook", "webhook"),
    ]
    actions = ["target:mail", "target:all-mail", "target:hook", "https://receiver.example/"]
    for action in actions:
        _send(store, action, 30)
    _notifier(store, receivers, clock, *entries).run_once()

    assert [receivers.count(action) for action in actions] == [20, 30, 30, 30]


def test_a_bounded_target_that_fails_is_left_alone_as_well(
    store: SqlStore, clock: Clock, receivers: Receivers
) -> None:
    receivers.answers["target:mail"] = Failed("451")
    _send(store, "target:mail", 15)
    notify = _notifier(store, receivers, clock, _mail(), threads=1)
    notify.run_once()
    tried = receivers.count("target:mail")
    clock.step(seconds=31)

    assert tried <= 15
    assert store.breakers()["target:mail"].is_open
    assert notify.run_once() == 1


def test_kill_9_while_a_storm_is_combined_loses_nothing(database_url: str) -> None:
    """Two processes combine at once and are killed: what is digested names a digest that is
    there and counts it, all else still waits."""
    script = str(Path(__file__).with_name("digesting_process.py"))
    ids: list[str] = []
    with SqlStore.open(DatabaseSettings(url=database_url)) as store:
        for round_ in range(3):
            pair = [
                subprocess.Popen([sys.executable, script, database_url], stdout=subprocess.PIPE)
                for _ in range(2)
            ]
            for process in pair:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
            wanted = 2 * (round_ + 1)
            while len(_digests(store)) < wanted:
                assert all(process.poll() is None for process in pair)
                ids += _send(store, "target:mail", 5)
            for process in pair:
                process.kill()
                process.wait(30)
                assert process.stdout is not None
                process.stdout.close()

        records = store.deliveries(limit=100_000)
        by_id = {record.delivery_id: record for record in records}
        combined = [record for record in records if record.state == "digested"]
        counted = Counter(record.digest_id for record in combined)
        assert counted == _digests(store)
        assert all(by_id[digest].state == "pending" for digest in counted)
        told = Counter(record.notification_id for record in records)
        assert all(told[one] == 1 for one in ids)
        assert {r.state for r in records if r.notification_id in set(ids)} <= {
            "pending",
            "digested",
        }


def _digests(store: SqlStore) -> dict[str, int]:
    """How many each digest says that it tells of, by its delivery."""
    found = {}
    for digest_id in {record.digest_id for record in store.deliveries(limit=100_000)} - {""}:
        _, delivery, _ = store.delivery(digest_id)
        found[digest_id] = delivery.notification.fields["count"]
    return found
