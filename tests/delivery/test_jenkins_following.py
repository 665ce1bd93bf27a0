"""A Jenkins job that was triggered is followed to its end, which is recorded with the delivery.

Against a server that speaks as Jenkins does (`delivery.jenkins_server`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from pipeline import targets
from pipeline.notification import Delivered, Failed, InProgress, Outcome, Refused
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON
from delivery.jenkins_jobs import jenkins_target, next_attempt, seed, triggered
from delivery.jenkins_server import API_TOKEN, USER, Item, Jenkins, Job
from delivery.notifying import Clock, Log, notifier, tell
from delivery.receivers import PATIENCE

# --- follow --------------------------------------------------------------------------------------


class Followed:
    """A job that was triggered, its item, and the attempts that look."""

    def __init__(self, server: Jenkins, target: Target, clock: Clock) -> None:
        self.server, self._target, self.clock = server, target, clock
        self.delivery = seed()
        self.outcome: Outcome = target.deliver(self.delivery)
        self.item: Item = server.items[-1]

    def look(self, **later: float) -> Outcome:
        self.clock.step(**later)
        self.delivery = next_attempt(self.delivery, self.outcome)
        self.outcome = self._target.deliver(self.delivery)
        return self.outcome

    @property
    def progress(self) -> Mapping[str, Any]:
        return self.outcome.progress or {}


@contextmanager
def _followed(**options: Any) -> Iterator[Followed]:
    clock = Clock()
    with Jenkins(Job("ops/tidy")) as server, jenkins_target(server, clock, **options) as target:
        yield Followed(server, target, clock)


def test_a_build_is_followed_from_the_queue_to_its_result() -> None:
    with _followed() as job:
        waits = job.look(seconds=1)
        job.item.state, job.item.why = "blocked", "Build #6 is already in progress"
        blocked = job.look(seconds=39)
        job.server.start(job.item)
        runs = job.look(seconds=40)
        job.server.finish(job.item)
        ended = job.look(minutes=30)

    assert isinstance(waits, InProgress)
    assert waits.note == "queue item 11 is waiting: In the quiet period. Expires in 4.8 sec"
    assert isinstance(blocked, InProgress)
    assert blocked.note == "queue item 11 is blocked: Build #6 is already in progress"
    assert isinstance(runs, InProgress)
    assert runs.note == "build 7 of ops/tidy runs"
    assert [one.look_again_in.total_seconds() for one in (waits, blocked, runs)] == [1, 10, 20]
    assert ended == Delivered(
        200,
        note="build 7 of ops/tidy ended as SUCCESS",
        progress={
            "job": "ops/tidy",
            "queue_item": 11,
            "triggered_at": NOON.isoformat(),
            "state": "ended",
            "build": 7,
            "url": f"{job.server.root}/job/ops/job/tidy/7/",
            "result": "SUCCESS",
        },
    )
    assert sum(request.startswith("POST") for request in job.server.requests) == 1


def test_looks_become_seldom_but_not_too_seldom() -> None:
    with _followed() as job:
        job.server.start(job.item)
        long_after = job.look(hours=20)

    assert isinstance(long_after, InProgress)
    assert long_after.look_again_in == timedelta(minutes=1)


def test_a_look_at_what_stands_still_leaves_its_progress_as_it_is() -> None:
    """So that it is not recorded again (`InProgress`), whatever Jenkins says meanwhile."""
    with _followed() as job:
        first = job.look(seconds=1)
        job.item.why = "In the quiet period. Expires in 3.1 sec"
        second = job.look(seconds=1)

    assert first.progress == second.progress


def test_nobody_need_wait_for_the_build() -> None:
    with _followed(wait="queued") as queued:
        assert isinstance(queued.outcome, Delivered)
        assert queued.progress["queue_item"] == queued.item.number
    with _followed(wait="started") as started:
        assert isinstance(started.look(), InProgress)
        started.server.start(started.item)
        outcome = started.look()

    assert isinstance(outcome, Delivered)
    assert (outcome.note, started.progress["build"]) == ("build 7 of ops/tidy has started", 7)


@pytest.mark.parametrize(
    ("result", "failed_build", "expected"),
    [
        ("SUCCESS", "retry", Delivered),
        ("UNSTABLE", "dead-letter", Delivered),
        ("FAILURE", "delivered", Delivered),
        ("ABORTED", "delivered", Delivered),
        ("FAILURE", "dead-letter", Refused),
        ("NOT_BUILT", "dead-letter", Refused),
        ("FAILURE", "retry", Failed),
        ("ABORTED", "retry", Failed),
    ],
)
def test_what_a_failed_build_counts_as_is_for_people_to_say(
    result: str, failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.finish(job.item, result)
        outcome = job.look(seconds=5)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == result
    assert f"build 7 of ops/tidy ended as {result}" in repr(outcome)


def test_a_retry_triggers_the_job_again() -> None:
    with _followed(failed_build="retry") as job:
        job.server.finish(job.item, "FAILURE")
        job.look(seconds=5)
        again = job.look(seconds=5)

    assert isinstance(again, InProgress)
    assert len(job.server.items) == 2
    assert "result" not in job.progress


@pytest.mark.parametrize(
    ("failed_build", "expected"),
    [("delivered", Delivered), ("dead-letter", Refused), ("retry", Failed)],
)
def test_an_item_that_was_cancelled_counts_as_a_failed_build(
    failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.cancel(job.item)
        outcome = job.look(seconds=5)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == "CANCELLED"
    assert "queue item 11 was cancelled before it ran" in repr(outcome)


def test_a_forgotten_queue_item_is_found_by_its_build() -> None:
    """Jenkins forgets it five minutes after it left the queue."""
    with _followed() as job:
        job.server.finish(job.item)
        job.server.forget(job.item)
        outcome = job.look(minutes=10)

    assert isinstance(outcome, Delivered)
    assert (job.progress["build"], job.progress["result"]) == (7, "SUCCESS")


@pytest.mark.parametrize(
    ("failed_build", "expected"),
    [("delivered", Delivered), ("dead-letter", Refused), ("retry", Refused)],
)
@pytest.mark.parametrize("removed", ["queue item", "build", "job"])
def test_what_cannot_be_found_out_any_more_is_never_triggered_again(
    removed: str, failed_build: str, expected: type[Outcome]
) -> None:
    with _followed(failed_build=failed_build) as job:
        job.server.start(job.item)
        if removed == "build":
            job.look()
        job.server.forget(job.item)
        job.server.remove(job.item)
        if removed == "job":
            job.server.jobs.clear()
        outcome = job.look(minutes=1)

    assert isinstance(outcome, expected)
    assert job.progress["result"] == "UNKNOWN"


def test_a_jenkins_that_is_away_is_asked_again() -> None:
    with _followed() as job:
        job.server.start(job.item)
        job.look(seconds=1)
    gone = job.look(seconds=7)

    assert isinstance(gone, InProgress)
    assert gone.note.startswith("triggered, but Jenkins cannot be asked: cannot connect to")
    assert gone.progress["build"] == 7


def test_a_token_that_is_void_by_now_ends_the_looks() -> None:
    with _followed() as job:
        job.server.may_read = False
        job.server.forget(job.item)
        outcome = job.look(minutes=1)

    assert isinstance(outcome, Delivered)


def test_a_build_that_takes_too_long_is_followed_no_longer() -> None:
    with _followed(follow_seconds=60) as job:
        job.server.start(job.item)
        in_time = job.look(seconds=59)
        too_long = job.look(seconds=1)

    assert isinstance(in_time, InProgress)
    assert isinstance(too_long, Delivered)
    assert "followed for 60 s (follow_seconds) and no longer" in too_long.note


def test_what_jenkins_says_is_shown_without_secrets_and_control_characters() -> None:
    with _followed() as job:
        job.item.why = f"Waiting for \x1b[31m{API_TOKEN}\n{'x' * 5_000}"
        outcome = job.look(seconds=1)
        job.server.start(job.item)
        job.item.result = "\x00" + "R" * 5_000
        ended = job.look(seconds=1)

    assert isinstance(outcome, InProgress)
    assert outcome.note.startswith("queue item 11 is waiting: Waiting for �[31m*** xxx")
    assert API_TOKEN[:8] not in repr((outcome, ended))
    assert len(outcome.note) < 300
    assert len(job.progress["result"]) <= 200


# --- through the notifier ------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=database_url), clock=clock) as store:
        yield store


def _action(server: Jenkins) -> str:
    return server.root.replace("http://", f"jenkins://{USER}:{API_TOKEN}@") + "/ops/tidy"


def test_a_delivery_is_pending_while_the_build_runs_and_tells_of_it(
    store: SqlStore, clock: Clock
) -> None:
    """A look that finds nothing new leaves no attempt, and none uses up a retry."""
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, _action(server))
        notify = notifier(store, clock=clock, retry_delays_seconds=())
        assert notify.run_once() == 1
        server.start(server.items[0])
        for _ in range(10):
            clock.step(minutes=1)
            assert notify.run_once() == 1
        (pending,) = store.deliveries()
        server.finish(server.items[0], "UNSTABLE")
        clock.step(minutes=1)
        assert notify.run_once() == 1
    (ended,) = store.deliveries()
    _, told, attempts = store.delivery(ended.delivery_id)

    assert (pending.state, pending.attempts) == ("pending", 2)
    assert (ended.state, ended.attempts) == ("delivered", 3)
    assert (told.progress or {})["result"] == "UNSTABLE"
    assert attempts[-1].outcome == Delivered(200, note="build 7 of ops/tidy ended as UNSTABLE")


def test_a_notifier_that_dies_after_triggering_triggers_again(
    store: SqlStore, clock: Clock
) -> None:
    """delivery 3: at least once."""
    lease = timedelta(minutes=2)
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, _action(server))
        tools = Tools.by(DeliverySettings(**PATIENCE), clock, Log())
        (claimed,) = store.claim(1, lease, clock.now)
        triggered(targets.Targets(tools).for_action(claimed.action).deliver(claimed))
        server.start(server.items[0])
        clock.step(minutes=2)
        notifier(store, clock=clock).run_once()

    assert len(server.items) == 2


def test_a_dead_letter_of_a_failed_build_is_triggered_again_when_it_is_replayed(
    store: SqlStore, clock: Clock
) -> None:
    with Jenkins(Job("ops/tidy")) as server:
        tell(store, f"{_action(server)}?tocsin-failed-build=dead-letter")
        notify = notifier(store, clock=clock)
        notify.run_once()
        server.finish(server.items[0], "FAILURE")
        clock.step(seconds=5)
        notify.run_once()
        (dead,) = store.deliveries(state="dead")
        store.replay_dead(clock.now)
        notify.run_once()

    assert dead.last_error == (
        "refused: build 7 of ops/tidy ended as FAILURE. Replaying it triggers the job again"
    )
    assert len(server.items) == 2
