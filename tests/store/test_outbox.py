"""Claiming deliveries and settling them (delivery 1, 3, 4, 10)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pipeline.errors import InvalidValue, NotFound
from pipeline.notification import Attempt, Delivered, Delivery, Failed, Outcome, Refused
from pipeline.retry import DeadLetter, Done, RetryAt, Step
from pipeline.store.sql import SqlStore

from builders import NOON, a_transition, an_alarm, an_event
from store.storing import LEASE, Clock, a_due_delivery, an_attempt, fire

LATER = NOON + timedelta(minutes=5)


def test_claim_takes_the_oldest_due_first(store: SqlStore) -> None:
    due = {
        minutes: a_due_delivery(store, at=NOON + timedelta(minutes=minutes))
        for minutes in (3, 1, 2, 9)
    }

    claimed = [
        delivery.delivery_id
        for _ in range(2)
        for delivery in store.claim(2, LEASE, NOON + timedelta(minutes=5))
    ]

    assert claimed == [due[1], due[2], due[3]]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_delivery_knows_whether_its_action_is_guarded(store: SqlStore, guarded: bool) -> None:
    """delivery 9: a target that has a name leads where an admin said."""
    actions = ["https://a.example/", "target:mail"]
    alarm = store.create(an_alarm(alarm_actions=actions, guarded=guarded))
    fire(store, alarm)

    claimed = {told.action: told.guarded for told in store.claim(10, LEASE, NOON + LEASE)}

    assert claimed == {"https://a.example/": guarded, "target:mail": False}


def test_next_due_is_the_first_after_now(store: SqlStore) -> None:
    assert store.next_due(NOON) is None
    for minutes in (0, 7, 3):
        a_due_delivery(store, at=NOON + timedelta(minutes=minutes))

    assert store.next_due(NOON) == NOON + timedelta(minutes=3)
    assert store.next_due(NOON + timedelta(minutes=7)) is None


def test_claimed_delivery_is_nobody_elses_until_the_lease_ends(store: SqlStore) -> None:
    a_due_delivery(store)

    (first,) = store.claim(10, LEASE, NOON)
    assert store.claim(10, LEASE, NOON + LEASE - timedelta(microseconds=1)) == []
    (second,) = store.claim(10, LEASE, NOON + LEASE)

    assert second.delivery_id == first.delivery_id
    assert second.lease != first.lease
    assert second.attempts == 0


def test_claims_of_many_notifiers_never_overlap(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=[f"https://r{n}.example/" for n in range(40)]))
    for _ in range(5):
        fire(store, alarm)
    start = threading.Barrier(4)

    def claim_all(_: int) -> list[str]:
        start.wait(timeout=60)
        mine: list[str] = []
        while claimed := store.claim(7, LEASE, NOON):
            mine += [delivery.delivery_id for delivery in claimed]
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [delivery_id for ids in pool.map(claim_all, range(4)) for delivery_id in ids]

    assert len(taken) == len(set(taken))
    # Who skips what another is just taking may stop early; nothing is left for the next one.
    taken += [delivery.delivery_id for delivery in store.claim(1_000, LEASE, NOON)]
    assert len(set(taken)) == len(taken) == 200


def test_busy_receivers_are_passed_over(store: SqlStore) -> None:
    """Delivery 8."""
    for path in range(3):
        a_due_delivery(store, action=f"https://slow.example/{path}")
    a_due_delivery(store, action="https://fast.example/")

    (claimed,) = store.claim(10, LEASE, NOON, busy=["https://slow.example"])

    assert claimed.action == "https://fast.example/"
    assert len(store.claim(10, LEASE, NOON)) == 3


def test_delivered_is_done(store: SqlStore) -> None:
    delivery = _claimed(store)
    attempt = an_attempt(delivery, Delivered(204, "ok"))

    store.finish([(delivery, attempt, Done())])

    record, told, attempts = store.delivery(delivery.delivery_id)
    assert (record.state, record.attempts, record.due_at) == ("delivered", 1, None)
    assert record.finished_at == NOON + timedelta(seconds=0.5)
    assert told.notification == delivery.notification
    assert attempts == [attempt]
    assert store.claim(10, LEASE, LATER) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Failed("timed out"),
        Failed("busy", 503, "come back", retry_after=timedelta(seconds=90.5)),
        Refused("no such hook", 404, "<html>"),
        Delivered(200, "\x00nul and \ud800 surrogate"),
    ],
)
def test_attempt_is_recorded_as_it_was(store: SqlStore, outcome: Outcome) -> None:
    """Delivery 10: time, duration, status, error, response head."""
    delivery = _claimed(store)

    store.finish([(delivery, an_attempt(delivery, outcome, at=LATER), RetryAt(LATER))])

    _, _, (attempt,) = store.delivery(delivery.delivery_id)
    assert (attempt.started_at, attempt.duration_seconds) == (LATER, 0.5)
    if isinstance(outcome, Delivered):
        outcome = Delivered(200, r"\x00nul and \ud800 surrogate")
    assert attempt.outcome == outcome


def test_failed_is_due_again_when_its_schedule_says(store: SqlStore) -> None:
    """Delivery 5."""
    delivery = _claimed(store)

    store.finish([(delivery, an_attempt(delivery, Failed("timed out")), RetryAt(LATER))])

    assert store.claim(10, LEASE, LATER - timedelta(seconds=1)) == []
    (again,) = store.claim(10, LEASE, LATER)
    assert (again.delivery_id, again.attempts) == (delivery.delivery_id, 1)
    record, _, _ = store.delivery(delivery.delivery_id)
    assert (record.state, record.last_error) == ("pending", "timed out")


@pytest.mark.parametrize("step", [RetryAt(LATER), DeadLetter("given up")])
def test_step_of_who_lost_the_lease_is_ignored_but_recorded(store: SqlStore, step: Step) -> None:
    loser = _claimed(store)
    (holder,) = store.claim(10, LEASE, NOON + LEASE)

    store.finish([(loser, an_attempt(loser, Failed("slow")), step)])

    record, _, attempts = store.delivery(loser.delivery_id)
    assert (record.state, record.due_at) == ("pending", NOON + 2 * LEASE)
    assert [attempt.outcome for attempt in attempts] == [Failed("slow")]
    store.finish([(holder, an_attempt(holder), Done())])
    record, _, attempts = store.delivery(loser.delivery_id)
    assert record.state == "delivered"
    assert [attempt.number for attempt in attempts] == [1, 2]


def test_lease_that_ended_unclaimed_still_counts(store: SqlStore) -> None:
    delivery = _claimed(store)

    store.finish([(delivery, an_attempt(delivery, Refused("no")), DeadLetter("no"))])

    assert store.delivery(delivery.delivery_id)[0].state == "dead"


@pytest.mark.parametrize("other_step", [RetryAt(LATER), DeadLetter("given up"), Done()])
def test_delivered_stays_delivered_whoever_says_so(store: SqlStore, other_step: Step) -> None:
    loser = _claimed(store)
    (holder,) = store.claim(10, LEASE, NOON + LEASE)

    for seconds, (delivery, outcome, step) in enumerate(
        [
            (holder, Failed("slow"), other_step),
            (loser, Delivered(200), Done()),
            (holder, Failed("slow"), other_step),
        ]
    ):
        attempt = an_attempt(delivery, outcome, at=NOON + timedelta(seconds=seconds))
        store.finish([(delivery, attempt, step)])

    record, _, attempts = store.delivery(loser.delivery_id)
    assert (record.state, record.attempts, len(attempts)) == ("delivered", 3, 3)
    assert store.claim(10, LEASE, LATER + LEASE) == []


@pytest.mark.parametrize("step", [RetryAt(LATER), DeadLetter("given up"), Done()])
def test_result_that_is_told_twice_is_recorded_once(store: SqlStore, step: Step) -> None:
    """Whoever lost the answer to a commit cannot know that it was made."""
    delivery = _claimed(store)
    result = (delivery, an_attempt(delivery, Failed("slow")), step)

    store.finish([result])
    once = store.delivery(delivery.delivery_id)
    store.finish([result])

    assert store.delivery(delivery.delivery_id) == once
    assert len(once[2]) == 1


def test_many_results_are_settled_together(store: SqlStore) -> None:
    alarm = store.create(an_alarm(alarm_actions=[f"https://r{n}.example/" for n in range(30)]))
    fire(store, alarm)
    claimed = store.claim(100, LEASE, NOON)
    steps = [Done(), RetryAt(LATER), DeadLetter("no")]

    store.finish([(d, an_attempt(d), steps[n % 3]) for n, d in enumerate(claimed)])
    store.finish([])

    expected = {"pending": 10, "delivered": 10, "dead": 10, "digested": 0}
    assert store.counts().deliveries_by_state == expected


def test_a_claim_passes_over_who_is_busy_and_says_whose_action_is_disabled(
    store: SqlStore,
) -> None:
    gone = _claimed(store)
    refused = Attempt(gone.delivery_id, 1, NOON, 0.1, Refused("410 Gone", 410, "", gone=True))
    store.finish([(gone, refused, DeadLetter("refused: 410 Gone"))])
    busy = a_due_delivery(store, action="https://busy.example/")
    due = [a_due_delivery(store, action=gone.action), a_due_delivery(store)]

    claimed = store.claim(10, LEASE, NOON, busy=["https://busy.example"])

    assert sorted(delivery.delivery_id for delivery in claimed) == sorted(due)
    disabled = {delivery.delivery_id: delivery.disabled for delivery in claimed}
    assert disabled[due[0]] == "410 Gone"
    assert [delivery.delivery_id for delivery in store.claim(10, LEASE, NOON)] == [busy]


def test_released_deliveries_are_due_at_once(store: SqlStore, clock: Clock) -> None:
    delivery = _claimed(store)
    clock.pass_time(seconds=1)

    store.release([delivery])
    store.release([])

    (again,) = store.claim(10, LEASE, clock())
    assert (again.delivery_id, again.attempts) == (delivery.delivery_id, 0)


def test_release_by_who_lost_the_lease_is_ignored(store: SqlStore, clock: Clock) -> None:
    loser = _claimed(store)
    assert len(store.claim(10, LEASE, NOON + LEASE)) == 1

    store.release([loser])

    assert store.claim(10, LEASE, NOON + LEASE) == []


def test_receiver_that_is_gone_disables_its_action(store: SqlStore) -> None:
    """Delivery 4: a 410 disables the target and says so."""
    action = "https://gone.example/" + "x" * 5_000
    delivery = _claimed(store, action=action)
    gone = Refused("410 Gone", 410, gone=True)

    store.finish([(delivery, an_attempt(delivery, gone), DeadLetter("410 Gone"))])

    assert store.counts().disabled_actions == {action: "410 Gone"}
    assert _claimed(store, action=action).disabled == "410 Gone"
    assert _claimed(store, action="https://other.example/").disabled == ""


def test_action_that_is_gone_twice_is_disabled_once(store: SqlStore) -> None:
    for reason in ("410 Gone", "410 Still gone"):
        delivery = _claimed(store)
        gone = Refused(reason, 410, gone=True)
        store.finish([(delivery, an_attempt(delivery, gone), DeadLetter(reason))])

    assert list(store.counts().disabled_actions.values()) == ["410 Gone"]


def test_deliveries_are_found_by_alarm_event_action_receiver_state_and_outcome(
    store: SqlStore,
) -> None:
    """Delivery 10."""
    event, other_event = an_event(), an_event()
    alarm = store.create(an_alarm(alarm_actions=("https://a.example/", "https://b.example/")))
    other = store.create(an_alarm(alarm_actions=("https://b.example/",)))
    with store.begin() as transaction:
        transaction.save_transitions(
            [
                a_transition(alarm, event, at=NOON),
                a_transition(other, event, at=NOON + timedelta(seconds=1)),
                a_transition(other, other_event, at=NOON + timedelta(seconds=2)),
            ]
        )
    first = store.claim(1, LEASE, NOON)[0]
    store.finish([(first, an_attempt(first, Failed("slow")), RetryAt(LATER))])
    (again,) = store.claim(1, LEASE, NOON)
    store.finish([(again, an_attempt(again, Refused("no")), DeadLetter("no"))])

    def found(**filters: str | int) -> list[tuple[str, str, str]]:
        records = store.deliveries(**filters)  # type: ignore[arg-type]
        return [(record.alarm_id, record.message_id, record.action) for record in records]

    newest = (other.alarm_id, other_event.message_id, "https://b.example/")
    middle = (other.alarm_id, event.message_id, "https://b.example/")
    assert found()[:2] == [newest, middle]
    assert found(limit=1) == [newest]
    assert found(alarm_id=other.alarm_id) == [newest, middle]
    assert len(found(message_id=event.message_id)) == 3
    assert found(action="https://a.example/", alarm_id=other.alarm_id) == []
    assert len(found(action="https://b.example/")) == 3
    assert found(receiver="https://b.example") == found(action="https://b.example/")
    assert found(receiver="https://b.example:8443") == []
    assert len(found(state="dead")) == len(found(outcome="refused")) == 1
    assert found(outcome="failed")[0][2] == first.action
    assert found(outcome="delivered") == []


def test_unknown_state_or_outcome_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidValue, match="unknown state 'done'"):
        store.deliveries(state="done")
    with pytest.raises(InvalidValue, match="unknown outcome 'ok'"):
        store.deliveries(outcome="ok")


def test_unknown_delivery_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="Delivery X not found"):
        store.delivery("X")


def _claimed(store: SqlStore, action: str = "https://receiver.example/hook") -> Delivery:
    delivery_id = a_due_delivery(store, action)
    claimed = store.claim(100, LEASE, NOON)
    return next(delivery for delivery in claimed if delivery.delivery_id == delivery_id)
