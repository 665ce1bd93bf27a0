"""What every listener promises, as tests that each listener's own tests inherit.

    class TestTheContract(ListenerContract):
        @pytest.fixture
        def feed(self) -> Feed:
            return MyFeed()

A `Feed` is the source: it makes listeners that listen to it, is given what to send, and knows
how much of that no listener has acknowledged yet.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from pipeline.listeners.base import Listener, Message, Stopped

from waiting import DEADLINE_SECONDS, eventually, running

BODIES = (b'{"n": 1}', b'{"n": 2}', b"no JSON", b"\xff\x00\x80", b"{}")


class Feed(Protocol):
    """One kind of source, new and empty."""

    def listener(self, worker: RecordingWorker) -> Listener:
        """A new listener on this source. What the last one left unacknowledged comes again."""

    def send(self, bodies: Sequence[bytes]) -> None:
        """Make these available to the listener. Does not wait."""

    def unacknowledged(self) -> int:
        """How many of what was sent no listener has acknowledged."""


class RecordingWorker:
    """Commits whatever comes, as soon as it is let: `hold`, `release`, `stop`.

    With `decisive=False` no message causes anything.
    """

    def __init__(self, decisive: bool = True) -> None:
        self.decided: list[Message] = []
        self.committed: list[Message] = []
        self.batches: list[int] = []
        self.committing = threading.Event()
        self._decisive = decisive
        self._go = threading.Event()
        self._go.set()
        self._stopped = False

    def decide(self, messages: Sequence[Message]) -> list[Message] | None:
        self.decided += messages
        return list(messages) if self._decisive else None

    def commit(self, decisions: list[Message]) -> None:
        self.committing.set()
        if not self._go.wait(DEADLINE_SECONDS):
            raise AssertionError("the test never released the commit")
        if self._stopped:
            raise Stopped("told to")
        self.committed += decisions
        self.batches.append(len(decisions))

    def hold(self) -> None:
        """Let commits wait until `release` or `stop`."""
        self._go.clear()

    def release(self) -> None:
        """Let waiting commits be made."""
        self._go.set()

    def stop(self) -> None:
        """Let waiting and later commits end without having been made."""
        self._stopped = True
        self._go.set()


class ListenerContract:
    """The promises of `pipeline.listeners.base.Listener` (delivery 1)."""

    def test_every_message_arrives_as_it_was_sent(self, feed: Feed) -> None:
        worker = RecordingWorker()
        feed.send(BODIES)
        with running(feed.listener(worker)):
            eventually(lambda: len(worker.committed) == len(BODIES), "all committed")
        assert sorted(message.body for message in worker.committed) == sorted(BODIES)

    def test_every_message_says_where_it_came_from(self, feed: Feed) -> None:
        worker = RecordingWorker()
        feed.send(BODIES)
        with running(listener := feed.listener(worker)):
            eventually(lambda: len(worker.committed) == len(BODIES), "all committed")
        assert all(m.source.startswith(listener.name) for m in worker.committed)

    def test_what_is_committed_is_acknowledged(self, feed: Feed) -> None:
        worker = RecordingWorker()
        feed.send(BODIES)
        with running(feed.listener(worker)):
            eventually(lambda: feed.unacknowledged() == 0, "all acknowledged")
        assert len(worker.committed) == len(BODIES)

    def test_nothing_is_acknowledged_before_it_is_committed(self, feed: Feed) -> None:
        """delivery 1"""
        worker = RecordingWorker()
        worker.hold()
        feed.send(BODIES)
        with running(feed.listener(worker)):
            assert worker.committing.wait(DEADLINE_SECONDS)
            assert feed.unacknowledged() == len(BODIES)
            worker.release()
            eventually(lambda: feed.unacknowledged() == 0, "all acknowledged")

    def test_what_was_not_committed_comes_again(self, feed: Feed) -> None:
        """delivery 1"""
        stopped, worker = RecordingWorker(), RecordingWorker()
        stopped.hold()
        feed.send(BODIES)
        with running(listener := feed.listener(stopped)):
            assert stopped.committing.wait(DEADLINE_SECONDS)
            listener.stop()
            stopped.stop()
        assert feed.unacknowledged() == len(BODIES)
        with running(feed.listener(worker)):
            eventually(lambda: len(worker.committed) == len(BODIES), "all came again")
        assert sorted(message.body for message in worker.committed) == sorted(BODIES)

    def test_a_message_that_causes_nothing_is_acknowledged(self, feed: Feed) -> None:
        worker = RecordingWorker(decisive=False)
        feed.send(BODIES)
        with running(feed.listener(worker)):
            eventually(lambda: feed.unacknowledged() == 0, "all acknowledged")
        assert sorted(message.body for message in worker.decided) == sorted(BODIES)
        assert not worker.committed

    def test_stop_finishes_the_batch_in_hand(self, feed: Feed) -> None:
        worker = RecordingWorker()
        worker.hold()
        feed.send(BODIES)
        with running(listener := feed.listener(worker)) as thread:
            assert worker.committing.wait(DEADLINE_SECONDS)
            listener.stop()
            assert thread.is_alive()
            worker.release()
        assert worker.committed
        taken = len(worker.committed)
        eventually(lambda: len(BODIES) - feed.unacknowledged() == taken, "acknowledged as taken")

    def test_stop_before_run_ends_it_at_once(self, feed: Feed) -> None:
        worker = RecordingWorker()
        feed.send(BODIES)
        listener = feed.listener(worker)
        listener.stop()
        listener.stop()
        listener.run()
        taken = len(worker.committed)
        eventually(lambda: len(BODIES) - feed.unacknowledged() == taken, "acknowledged as taken")
