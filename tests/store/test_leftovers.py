"""Rejected events, publications, and the look at the whole."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.alarms.alarm import State
from pipeline.errors import Ambiguous, NotFound
from pipeline.store.base import Publication, RejectedEvent
from pipeline.store.sql import SqlStore

from builders import NOON, an_alarm, an_event
from store.storing import LEASE, Clock, a_due_delivery, fire


def test_rejected_events_are_listed_newest_first(store: SqlStore) -> None:
    rejected = [_rejected(f"id-{n}", minutes=n) for n in (1, 3, 2)]
    _keep(store, *rejected)

    assert store.rejected() == [rejected[1], rejected[2], rejected[0]]
    assert store.rejected(limit=1) == [rejected[1]]


def test_rejected_event_is_found_by_the_head_of_its_id(store: SqlStore) -> None:
    first, second = _rejected("abc1"), _rejected("abd2")
    longer = _rejected("abc12")
    _keep(store, first, second, longer)

    assert store.rejected_event("abd") == second
    assert store.rejected_event("abc1") == first
    with pytest.raises(Ambiguous, match="more than one rejected event starts with 'ab'"):
        store.rejected_event("ab")
    for unknown in ("ABD2", "abd_", "%", "x"):
        with pytest.raises(NotFound, match=f"Rejected event {unknown} not found"):
            store.rejected_event(unknown)


def test_replayed_rejected_event_is_forgotten(store: SqlStore) -> None:
    _keep(store, _rejected("one"), _rejected("two"))

    store.forget_rejected("one")
    store.forget_rejected("unknown")

    assert [rejected.rejected_id for rejected in store.rejected()] == ["two"]


def test_headers_of_any_kind_are_kept_without_their_secrets(store: SqlStore) -> None:
    headers = {"raw": b"\xff\x00", "when": NOON, "nan": float("nan"), "x-auth-token": "s3cret"}
    _keep(store, _rejected("one", headers=headers))

    assert store.rejected_event("one").headers == {
        "raw": "\\xff\x00",
        "when": "2026-01-02T12:00:00+00:00",
        "nan": None,
        "x-auth-token": "***",
    }


def test_publication_is_claimed_until_its_lease_ends(store: SqlStore, clock: Clock) -> None:
    """Events in 28."""
    old, new = (Publication(name, "log://", (an_event(),), "full") for name in ("old", "new"))
    for publication in (old, new):
        with store.begin() as transaction:
            transaction.save_publications([publication])
        clock.pass_time(seconds=1)

    claimed = [store.claim_publications(1, LEASE, clock()) for _ in range(3)]

    assert [[p.publication_id for p in some] for some in claimed] == [["old"], ["new"], []]
    assert len(store.claim_publications(9, LEASE, clock() + LEASE)) == 2


def test_publication_that_is_kept_twice_is_one(store: SqlStore) -> None:
    """A commit whose answer was lost is made again (delivery 2)."""
    publication = Publication("publication-1", "test://", (an_event(),), "no route")
    for _ in range(2):
        with store.begin() as transaction:
            transaction.save_publications([publication])

    assert store.counts().publications == 1


def test_publication_is_kept_until_it_was_taken(store: SqlStore) -> None:
    """Events in 28: retried, and never silently lost."""
    event = an_event(host="a", load=1.5)
    later = NOON + timedelta(hours=1)
    with store.begin() as transaction:
        transaction.save_publications([Publication("one", "log://", (event,), "full")])
    store.claim_publications(9, LEASE, NOON)

    store.publish_again_at("one", later, "still full")

    assert store.claim_publications(9, LEASE, NOON + LEASE) == []
    (again,) = store.claim_publications(9, LEASE, later)
    assert (again.attempts, again.error, again.events) == (2, "still full", (event,))
    store.published("one")
    assert store.counts().publications == 0


def test_status_counts_everything(store: SqlStore) -> None:
    alarm = store.create(an_alarm())
    store.set_state(store.create(an_alarm()).alarm_id, State.OK, NOON)
    fire(store, alarm)
    a_due_delivery(store, at=NOON - timedelta(hours=1))
    _keep(store, _rejected("one"))
    with store.begin() as transaction:
        transaction.save_publications([Publication("p", "log://", (), "full")])

    counts = store.counts()

    assert counts.alarms == 3
    assert counts.alarms_by_state == {"ok": 1, "alarm": 2, "insufficient data": 0}
    assert counts.firings == 2
    assert counts.deliveries_by_state == {"pending": 2, "delivered": 0, "dead": 0, "digested": 0}
    assert counts.oldest_due == NOON - timedelta(hours=1)
    assert (counts.rejected, counts.publications, counts.revision) == (1, 1, 4)
    assert counts.disabled_actions == {}


def _keep(store: SqlStore, *rejected: RejectedEvent) -> None:
    with store.begin() as transaction:
        transaction.save_rejected(rejected)


def _rejected(
    rejected_id: str, minutes: int = 0, headers: dict[str, object] | None = None
) -> RejectedEvent:
    return RejectedEvent(
        rejected_id=rejected_id,
        reason="no JSON",
        body=b"{",
        content_type="application/json",
        headers=headers or {},
        source="replay events.jsonl:12",
        received_at=NOON + timedelta(minutes=minutes),
        truncated=True,
    )
