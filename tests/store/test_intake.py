"""What a batch causes is written whole or not at all, and once (delivery 1, 2)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from pipeline.alarms.alarm import Severity, State
from pipeline.notification import AlarmTransition
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.documents import storable_text
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from store.storing import LEASE, Clock, fire


def test_transition_writes_state_history_firing_notification_and_deliveries(
    store: SqlStore,
) -> None:
    """Architecture, step 5; alarms 11, 12, 22."""
    alarm = store.create(
        an_alarm(
            severity=Severity.CRITICAL,
            project_id="p-1",
            alarm_actions=("https://a.example/", "log://"),
            ok_actions=("https://never.example/",),
        )
    )
    event = an_event(host="a")
    transition = a_transition(alarm, event, at=NOON + timedelta(seconds=3))

    with store.begin() as transaction:
        transaction.save_transitions([transition])

    stands = store.get(alarm.alarm_id)
    assert (stands.state, stands.state_timestamp) == (State.ALARM, transition.at)
    assert stands.state_reason == transition.reason
    newest = store.history(alarm.alarm_id)[0]
    assert (newest.type, newest.on_behalf_of) == ("state transition", "p-1")
    assert json.loads(newest.detail) == {
        "state": "alarm",
        "transition_reason": transition.reason,
    }
    claimed = store.claim(10, LEASE, transition.at)
    assert {delivery.action for delivery in claimed} == {"https://a.example/", "log://"}
    told = claimed[0].notification
    assert told == claimed[1].notification
    assert (told.severity, told.created_at) == ("critical", transition.at)
    assert told.subject == AlarmTransition(
        alarm_id=alarm.alarm_id,
        alarm_name=alarm.name,
        previous=State.INSUFFICIENT_DATA,
        current=State.ALARM,
        reason=transition.reason,
        reason_data=transition.reason_data,
    )
    assert store.counts().firings == 1


def test_redelivered_event_changes_nothing(store: SqlStore) -> None:
    """Events in 3, delivery 2."""
    alarm = store.create(an_alarm(repeat_actions=True))
    event = an_event()

    assert fire(store, alarm, event)
    before = store.counts()
    assert not fire(store, alarm, event)

    assert store.counts() == before
    assert len(store.history(alarm.alarm_id)) == 2


def test_same_firing_twice_is_refused_by_the_database_itself(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    transition = a_transition(alarm)
    fire(store, alarm, transition.event)
    before = store.counts()

    with pytest.raises(IntegrityError), store.begin() as transaction:
        transaction.save_transitions([transition])

    assert store.counts() == before


def test_fired_tells_only_of_the_pairs_that_fired(store: SqlStore) -> None:
    one, other = store.create(an_alarm()), store.create(an_alarm())
    event = an_event()
    fire(store, one, event)

    pairs = {
        (one.alarm_id, event.message_id),
        (other.alarm_id, event.message_id),
        (one.alarm_id, "another message"),
    }
    with store.begin() as transaction:
        assert transaction.fired(pairs) == {(one.alarm_id, event.message_id)}
        assert transaction.fired([]) == set()


@pytest.mark.parametrize("beside", [0, 2])
def test_transition_is_written_alike_alone_and_among_others(store: SqlStore, beside: int) -> None:
    """A batch of one has a statement of its own; whatever text is in it, the rows are the same."""
    text = "nul \x00, 'quoted' %s %(a)s \ud800 \U0001f600 " + "long" * 1_000
    alarm = store.create(an_alarm(alarm_actions=("log://",)))
    others = [store.create(an_alarm(alarm_actions=("log://",))) for _ in range(beside)]
    transition = a_transition(alarm, an_event(message_id=text), reason=text)

    with store.begin() as transaction:
        transaction.save_transitions([transition, *map(a_transition, others)])

    claimed = {each.notification.alarm_id: each for each in store.claim(10, LEASE, NOON)}
    assert len(claimed) == 1 + beside
    told, kept = claimed[alarm.alarm_id].notification, storable_text(text)
    assert isinstance(told.subject, AlarmTransition)
    assert (told.subject.reason, told.created_at) == (kept, transition.at)
    assert store.get(alarm.alarm_id).state_reason == kept
    with store.begin() as transaction:
        assert transaction.lock_alarms({alarm.alarm_id})[alarm.alarm_id].state_reason == kept
        assert transaction.fired({(alarm.alarm_id, text)}) == {(alarm.alarm_id, text)}


def test_last_of_several_transitions_of_one_alarm_wins(store: SqlStore) -> None:
    alarm = store.create(an_alarm(repeat_actions=True))
    first = a_transition(alarm, reason="first")
    last = a_transition(alarm, reason="last", at=NOON + timedelta(seconds=1))

    with store.begin() as transaction:
        transaction.save_transitions([first, last])

    stands = store.get(alarm.alarm_id)
    assert (stands.state_reason, stands.state_timestamp) == ("last", last.at)
    transitions = [json.loads(entry.detail) for entry in store.history(alarm.alarm_id)[:2]]
    assert [detail["transition_reason"] for detail in transitions] == ["last", "first"]
    assert store.counts().firings == 2


def test_history_of_one_moment_keeps_the_order_of_writing(store: SqlStore) -> None:
    alarm = store.create(an_alarm(repeat_actions=True))
    transitions = [a_transition(alarm, reason=str(number)) for number in range(20)]

    with store.begin() as transaction:
        transaction.save_transitions(transitions)

    details = [json.loads(entry.detail) for entry in store.history(alarm.alarm_id, limit=20)]
    reasons = [int(detail["transition_reason"]) for detail in details]
    assert reasons == list(reversed(range(20)))


def test_transition_without_actions_is_recorded(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=()))

    fire(store, alarm)

    assert store.get(alarm.alarm_id).state is State.ALARM
    assert store.counts().deliveries_by_state["pending"] == 0


def test_block_that_raises_leaves_nothing(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    before = store.counts()

    def write_and_fail() -> None:
        with store.begin() as transaction:
            transaction.save_transitions([a_transition(alarm)])
            transaction.save_rejected([_rejected()])
            transaction.save_publications([Publication("p", "file:///x", (an_event(),), "full")])
            raise RuntimeError("the worker failed")

    with pytest.raises(RuntimeError, match="the worker failed"):
        write_and_fail()

    assert store.counts() == before
    assert store.get(alarm.alarm_id) == alarm


def test_unknown_alarms_are_absent_among_the_locked(store: SqlStore) -> None:
    alarm = store.create(an_alarm())

    with store.begin() as transaction:
        locked = transaction.lock_alarms([alarm.alarm_id, "unknown"])
        assert transaction.lock_alarms([]) == {}

    assert locked == {alarm.alarm_id: alarm}


def test_batch_may_be_larger_than_one_statement_takes(store: SqlStore) -> None:
    alarms = [an_alarm() for _ in range(2_300)]
    store.create_many(alarms)
    event = an_event()

    with store.begin() as transaction:
        locked = transaction.lock_alarms({alarm.alarm_id for alarm in alarms})
        transaction.save_transitions([a_transition(alarm, event) for alarm in locked.values()])
    with store.begin() as transaction:
        pairs = [(alarm.alarm_id, event.message_id) for alarm in alarms]
        assert len(transaction.fired(pairs)) == 2_300

    assert store.counts().alarms_by_state["alarm"] == 2_300
    assert store.counts().deliveries_by_state["pending"] == 2_300


def test_rejected_event_that_is_kept_already_changes_nothing(store: SqlStore) -> None:
    kept, again = _rejected(), _rejected(reason="another reason", source="elsewhere")

    for rejected in (kept, again):
        with store.begin() as transaction:
            transaction.save_rejected([rejected])
            transaction.save_rejected([])

    assert store.rejected() == [kept]


def test_publication_is_due_at_once_unless_it_says_when(store: SqlStore, clock: Clock) -> None:
    """Events in 28."""
    event = an_event(load=float("inf"), size=2**80, host="ä\N{SNOWMAN}")
    later = Publication("later", "log://", (event,), "full", due_at=NOON + timedelta(hours=1))

    with store.begin() as transaction:
        transaction.save_publications([Publication("now", "log://", (event,), "full"), later])
        transaction.save_publications([])

    (claimed,) = store.claim_publications(10, LEASE, clock())
    assert (claimed.publication_id, claimed.attempts, claimed.error) == ("now", 1, "full")
    assert claimed.events == (event,)


def _rejected(
    reason: str = "no JSON", source: str = "rabbitmq localhost/ notifications.info"
) -> RejectedEvent:
    return RejectedEvent(
        rejected_id="0123456789abcdef",
        reason=reason,
        body=b"\x00\xff not JSON",
        content_type=None,
        headers={"retries": 3, "x-death": [{"count": 1}]},
        source=source,
        received_at=NOON,
    )
