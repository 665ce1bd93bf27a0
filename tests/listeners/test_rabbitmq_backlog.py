"""Batches are decided on while a commit goes on; each is acknowledged after its own, in order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from pipeline.listeners.base import Stopped
from pipeline.listeners.rabbitmq.backlog import Backlog

from listeners.contract import RecordingWorker
from listeners.rabbitmq_broker import Broker, a_listener, settings_for
from waiting import DEADLINE_SECONDS, eventually, running


class Commits:
    """A committer whose commits end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self._outcomes: list[Future[None]] = []

    def begin(self, decisions: list[str]) -> Future[None]:
        self.begun.append(list(decisions))
        self._outcomes.append(Future())
        return self._outcomes[-1]

    def end(self, error: Exception | None = None) -> None:
        """The oldest commit that goes on is made, or fails."""
        outcome = self._outcomes.pop(0)
        outcome.set_exception(error) if error else outcome.set_result(None)


class Quick(Commits):
    """One whose commits are made before anybody looks."""

    def begin(self, decisions: list[str]) -> Future[None]:
        outcome = super().begin(decisions)
        self.end()
        return outcome


class Acknowledged:
    """A consumer that remembers what was acknowledged, and how often it was woken."""

    def __init__(self) -> None:
        self.tags: list[int] = []
        self.woken = 0

    def acknowledge(self, last_tag: int) -> None:
        self.tags.append(last_tag)

    def wake(self, _: object = None) -> None:
        self.woken += 1

    def stay_alive_until(self, outcome: Future[None]) -> None:
        assert outcome.done(), "the test never ended the commit"


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def acknowledged() -> Acknowledged:
    return Acknowledged()


@pytest.fixture
def backlog(acknowledged: Acknowledged, commits: Commits) -> Backlog[str]:
    return Backlog(acknowledged, commits, most=3)  # type: ignore[arg-type]


def test_a_batch_that_causes_nothing_is_acknowledged_at_once(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    backlog.add(10, None)
    backlog.add(20, None)
    assert acknowledged.tags == [10, 20]
    assert commits.begun == []


def test_a_batch_is_acknowledged_after_its_commit_and_never_before(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    """delivery 1"""
    backlog.add(10, ["a"])
    backlog.advance()
    assert acknowledged.tags == []
    commits.end()
    assert acknowledged.woken == 1
    backlog.advance()
    assert acknowledged.tags == [10]


def test_what_came_alone_is_acknowledged_without_being_woken_for_it(
    acknowledged: Acknowledged,
) -> None:
    """The wait for its commit is as good as being told of its end."""
    commits = Quick()
    backlog = Backlog(acknowledged, commits, most=3)  # type: ignore[arg-type]
    backlog.add(10, ["a"], alone=True)
    assert commits.begun == [["a"]]
    assert acknowledged.tags == [10]
    assert acknowledged.woken == 0


def test_what_came_alone_is_acknowledged_after_a_commit_that_takes_long(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    """The broker is answered meanwhile, so the end of the commit has to wake who does that."""
    backlog.add(10, ["a"], alone=True)
    backlog.add(20, ["b"], alone=True)
    assert acknowledged.tags == []
    commits.end()
    assert acknowledged.woken == 1
    backlog.advance()
    assert acknowledged.tags == [10]


def test_a_batch_that_causes_nothing_waits_for_those_before_it(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    """An acknowledgement covers all before it, what is not committed yet too."""
    backlog.add(10, ["a"])
    backlog.add(20, None)
    assert acknowledged.tags == []
    commits.end()
    backlog.advance()
    assert acknowledged.tags == [10, 20]


def test_what_is_decided_during_a_commit_is_committed_together(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    for tag, decisions in ((10, ["a"]), (20, ["b"]), (30, None), (40, ["c", "d"])):
        backlog.add(tag, decisions)
    commits.end()
    backlog.advance()
    assert commits.begun == [["a"], ["b", "c", "d"]]
    assert acknowledged.tags == [10]
    commits.end()
    backlog.advance()
    assert acknowledged.tags == [10, 40]


def test_a_commit_carries_no_more_than_it_may_unless_one_batch_does(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    for tag, decisions in ((1, ["a"]), (2, ["b", "c"]), (3, ["d", "e"]), (4, list("fghij"))):
        backlog.add(tag, decisions)
    for _ in range(4):
        commits.end()
        backlog.advance()
    assert commits.begun == [["a"], ["b", "c"], ["d", "e"], list("fghij")]
    assert acknowledged.tags == [1, 2, 3, 4]


def test_when_stopping_the_queue_keeps_what_has_not_begun(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged
) -> None:
    backlog.add(10, ["a"])
    backlog.add(20, ["b"])
    commits.end()
    backlog.finish()
    assert commits.begun == [["a"]]
    assert acknowledged.tags == [10]


@pytest.mark.parametrize("way", ["advance", "finish", "abandon"])
def test_what_was_not_committed_is_not_acknowledged(
    backlog: Backlog[str], commits: Commits, acknowledged: Acknowledged, way: str
) -> None:
    """delivery 1"""
    backlog.add(10, ["a"])
    commits.end(Stopped("the store is away"))
    arguments = [lambda: None] if way == "abandon" else []
    with pytest.raises(Stopped):
        getattr(backlog, way)(*arguments)
    assert acknowledged.tags == []


# --- on a broker -----------------------------------------------------------------------------


@pytest.fixture
def broker(amqp_url: str) -> Broker:
    return Broker(amqp_url)


@pytest.fixture
def queue(broker: Broker, topic: str) -> Iterator[str]:
    name = f"{topic}.info"
    broker.declare(name, durable=True)
    yield name
    broker.delete(name)


def test_batches_are_decided_on_while_a_commit_goes_on(
    amqp_url: str, broker: Broker, topic: str, queue: str
) -> None:
    bodies = [b'{"n": %d}' % n for n in range(50)]
    worker = RecordingWorker()
    worker.hold()
    broker.send(queue, bodies)
    with running(a_listener(amqp_url, settings_for(topic, batch_size=10), worker)):
        assert worker.committing.wait(DEADLINE_SECONDS)
        eventually(lambda: len(worker.decided) == len(bodies), "all decided")
        assert worker.committed == []
        worker.release()
        eventually(lambda: len(worker.committed) == len(bodies), "all committed")
    assert [message.body for message in worker.committed] == bodies
    assert broker.ready(queue) == 0
