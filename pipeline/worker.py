"""The inbound loop's two steps: what a batch of messages causes, and writing it down.

`decide` reads top down as an event's way: envelope, traits, routes, alarms. It does no I/O and
runs in the listener's thread. `commit` writes the decisions down, in one transaction unless they
are very many, and then offers the events to their sinks; when it returns, the listener
acknowledges the batch. A crash in between brings the batch again, and the firings that are already
written make that harmless (delivery 1, 2).

Called by every listener of the process, each from its own thread. Knows no listener, no SQL and
no wire format.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

from pipeline.alarms import evaluator
from pipeline.alarms.alarm import Alarm, Transition
from pipeline.alarms.composites import Evaluation, happened
from pipeline.envelope import binary_attributes, open_envelope, scrub_head
from pipeline.errors import StoreUnavailable
from pipeline.event import Event, Rejected
from pipeline.listeners.base import Message, Stopped
from pipeline.normalise.normaliser import Normaliser
from pipeline.observer import Observer
from pipeline.routing import Routes
from pipeline.store.base import Intake, Publication, RejectedEvent, Transaction
from pipeline.tracing import Tracing

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0
_KEPT_BODY_BYTES = 1024 * 1024
_WRITTEN_AT_ONCE = 5_000
"""Decisions in a transaction: a hundred events that fire thousands of alarms each must neither
fill the memory nor take longer than the database allows a transaction, every time anew."""

_Result = TypeVar("_Result")


class Candidates(Protocol):
    """What the worker needs of the alarms in memory (`pipeline.alarms.live.LiveAlarms`)."""

    def candidates(self, events: Sequence[Event]) -> list[tuple[str, Event]]:
        """The (alarm_id, event) pairs that may fire, in event order."""

    def settled(self, alarm: Alarm) -> None:
        """The alarm is so, as of its revision; what no event changes any more need not be told
        again."""


class Planning(Protocol):
    """What the worker needs of the routing (`pipeline.planner.Planner`)."""

    def actions(self, transition: Transition) -> Sequence[str]:
        """Where the notification of a transition goes."""


class OwnActions:
    """Plans nothing: the actions are the alarm's own."""

    def actions(self, transition: Transition) -> Sequence[str]:
        """Those for the state that it comes into."""
        return transition.alarm.actions(transition.current)


class EventSinks(Protocol):
    """What the worker needs of the sinks (`pipeline.sinks.Sinks`)."""

    def publish(self, batch: Mapping[str, Sequence[Event]]) -> list[Publication]:
        """Offer each URL its events, for a bounded time; what has to be kept of them."""

    def kept(self, publications: Sequence[Publication]) -> None:
        """They are kept now."""


class Decided(NamedTuple):
    """One thing that a message causes: a rejection, an alarm to look at, or events to publish."""

    message: Message
    event: Event | None
    rejected: str = ""
    alarm_id: str = ""
    publishers: tuple[str, ...] = ()
    span: Any = None


@dataclass(slots=True)
class Tally:
    """How many messages went which way since the start of this process."""

    received: int = 0
    rejected: int = 0
    fired: int = 0


class Worker:
    """Decides and commits. `configure` may be called at any time, between two batches' decisions.

    `wake` is called after a commit that made deliveries, so that a notifier in the same process
    need not poll for them.
    """

    def __init__(
        self,
        *,
        normaliser: Normaliser,
        routes: Routes,
        sinks: EventSinks,
        alarms: Candidates,
        store: Intake,
        clock: Callable[[], datetime],
        log: Any,
        wake: Callable[[], None] = lambda: None,
        observer: Observer | None = None,
        tracing: Tracing | None = None,
        planner: Planning | None = None,
    ) -> None:
        self._normaliser, self._routes = normaliser, routes
        self._sinks, self._alarms, self._store = sinks, alarms, store
        self._clock, self._log, self._wake = clock, log, wake
        self._observer, self._tracing = observer or Observer(), tracing or Tracing()
        self._planner = planner or OwnActions()
        self._stopping = threading.Event()
        self.tally = Tally()

    @property
    def unconvertible(self) -> Mapping[str, int]:
        """By trait, how many values did not convert since the definitions were read."""
        return self._normaliser.unconvertible

    def configure(self, normaliser: Normaliser, routes: Routes) -> None:
        """Use these definitions and routes from the next batch on."""
        self._normaliser, self._routes = normaliser, routes

    def stop(self) -> None:
        """Wait for the store no longer: a commit that cannot be made now raises `Stopped`."""
        self._stopping.set()

    # --- decide ------------------------------------------------------------------------------

    def decide(self, messages: Sequence[Message]) -> list[Decided] | None:
        """Normalise, route and match a batch; None when it causes nothing."""
        began = perf_counter()
        route_of, now = self._routes.route, self._clock()
        decided: list[Decided] = []
        for_alarms: list[Event] = []
        origins: list[Message] = []
        self.tally.received += len(messages)
        for message in messages:
            for event in self._events(message, now):
                if isinstance(event, Rejected):
                    decided.append(_rejection(message, event))
                    continue
                alarms, publishers = route_of(event.event_type)
                if alarms:
                    for_alarms.append(event)
                    origins.append(message)
                if publishers:
                    decided.append(Decided(message, event, publishers=publishers))
        if matches := self._alarms.candidates(for_alarms):
            origin = dict(zip(map(id, for_alarms), origins, strict=True))
            for alarm_id, event in matches:
                decided.append(Decided(origin[id(event)], event, alarm_id=alarm_id))
        if messages:
            took = perf_counter() - began
            source, size = messages[0].source, len(messages)
            self._observer.decided(source, size, for_alarms, decided, now, took)
            if decided:
                decided = self._tracing.decided(decided, took)
        return decided or None

    def understand(self, message: Message) -> str | None:
        """Why a message, or a part of it, would be rejected; None if nothing of it would be.

        For a sender who is told, so that nothing of it need be kept: it counts as refused.
        """
        events = self._events(message, self._clock())
        reason = next((event.reason for event in events if isinstance(event, Rejected)), None)
        if reason is not None:
            self._observer.refused(message.source)
        return reason

    def _events(self, message: Message, now: datetime) -> Sequence[Event | Rejected]:
        """What a message holds: one event; none, if it is dropped; or a list (events-in 30)."""
        try:
            envelope = open_envelope(
                message.body, message.content_type, message.headers, received_at=now
            )
            if isinstance(envelope, Rejected):
                return (envelope,)
            return self._normaliser.events(envelope)
        except Exception as error:  # noqa: BLE001 - a bug must not lose or block the queue
            self._log.exception("event.failed", source=message.source)
            return (Rejected(f"Tocsin failed on it: {type(error).__name__}: {error}"),)

    # --- commit ------------------------------------------------------------------------------

    def commit(self, decisions: Sequence[Decided]) -> None:
        """Write all that the batch causes in one transaction, then publish; wait for the store.

        Where that is very much, it is several: what one of them wrote the next delivery of the
        batch finds written. Raises `Stopped` when told to stop while the store is away.
        """
        began, fired = perf_counter(), 0
        with self._tracing.commit(decisions):
            for start in range(0, len(decisions), _WRITTEN_AT_ONCE):
                portion = decisions[start : start + _WRITTEN_AT_ONCE]
                fired += self._written(partial(self._record_or_reject, portion))
        took = perf_counter() - began
        if fired:  # before what nobody waits for
            self._wake()
        self.tally.fired += fired
        self._observer.committed(fired, took)
        # After the alarms, which wait for no sink.
        self._publish(decisions)

    def _written(self, write: Callable[[], _Result]) -> _Result:
        """What `write` gives, called as often as it takes while the store is away."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return write()
            except StoreUnavailable as error:
                self._log.warning("store.unavailable", error=str(error), next_try_seconds=wait)
            if self._stopping.wait(wait):
                raise Stopped("the store is away and the process is stopping")
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _publish(self, decisions: Iterable[Decided]) -> None:
        """Offer each event to its sinks, and keep what they do not take in time."""
        by_url: dict[str, list[Event]] = {}
        for decided in decisions:
            for url in decided.publishers:
                assert decided.event is not None
                by_url.setdefault(url, []).append(decided.event)
        if by_url and (unpublished := self._sinks.publish(by_url)):
            self._written(partial(self._keep, unpublished))
            self._sinks.kept(unpublished)

    def _keep(self, unpublished: Sequence[Publication]) -> None:
        with self._store.begin() as transaction:
            transaction.save_publications(unpublished)

    def _record_or_reject(self, decisions: Sequence[Decided]) -> int:
        """Record the batch; if that fails for what is in it, event by event, rejecting the bad."""
        try:
            return self._record(decisions)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one bad event must not hold up the queue
            self._log.exception("batch.failed", events=len(decisions))
            if len(decisions) == 1:
                decided = decisions[0]
                reason = f"could not be recorded: {type(error).__name__}: {error}"
                return self._record([Decided(decided.message, None, rejected=reason)])
        return sum(self._record_or_reject([decided]) for decided in decisions)

    def _record(self, decisions: Sequence[Decided]) -> int:
        now = self._clock()
        rejected = [_rejected_event(d, now) for d in decisions if d.rejected]
        if not (rejected or any(d.alarm_id for d in decisions)):
            return 0
        with self._store.begin() as transaction:
            alarms, transitions, composites = self._transitions(transaction, decisions, now)
            if composites:
                changed = composites.with_new_leaf_states
                transaction.save_composites(changed, composites.met, now)
            if transitions:
                actions = [self._planner.actions(transition) for transition in transitions]
                marked = self._tracing.marked(transitions, decisions)
                transaction.save_transitions(marked, actions)
            if rejected:
                transaction.save_rejected(rejected)
        self.tally.rejected += len(rejected)
        for alarm in alarms:
            if evaluator.is_quiet(alarm):
                self._alarms.settled(alarm)
        for alarm in composites.alarms.values() if composites else ():
            self._alarms.settled(alarm)
        return len(transitions)

    def _transitions(
        self, transaction: Transaction, decisions: Sequence[Decided], now: datetime
    ) -> tuple[Iterable[Alarm], list[Transition], Evaluation | None]:
        """What the alarms, as they stand and held against change, make of the matched events;
        and what became of composite alarms, None if it is about none."""
        pairs = [(d.alarm_id, d.event) for d in decisions if d.event and d.alarm_id]
        if not pairs:
            return (), [], None
        alarms = transaction.lock_alarms({alarm_id for alarm_id, _ in pairs})
        others = {alarm_id for alarm_id, _ in pairs if alarm_id not in alarms}
        fired = transaction.fired({(a, e.message_id) for a, e in pairs if a not in others})
        transitions = []
        for alarm_id, event in pairs:
            alarm = alarms.get(alarm_id)
            if alarm is None or (alarm_id, event.message_id) in fired:
                continue
            transition = evaluator.decide(alarm, event, now)
            if transition is None:
                continue
            fired.add((alarm_id, event.message_id))
            transitions.append(transition)
            if transition.current is not alarm.state:
                alarms[alarm_id] = replace(alarm, state=transition.current)
        changed = {transition.alarm.alarm_id for transition in transitions}
        composites = transaction.lock_composites(others, changed)
        if not composites.alarms:
            return alarms.values(), transitions, None
        # Asked once they are held: another listener may have had the event before.
        fired |= transaction.fired({(a, e.message_id) for a, e in pairs if a in composites.alarms})
        evaluation = Evaluation(composites, now)
        transitions += happened(evaluation, pairs, transitions, fired)
        return alarms.values(), transitions, evaluation


def _rejection(message: Message, rejected: Rejected) -> Decided:
    if rejected.body is not None:
        message = Message(rejected.body, source=message.source)
    return Decided(message, None, rejected=rejected.reason)


def _rejected_event(decided: Decided, now: datetime) -> RejectedEvent:
    message = decided.message
    body, truncated = scrub_head(message.body, _KEPT_BODY_BYTES)
    return RejectedEvent(
        rejected_id=_rejected_id(message),
        reason=decided.rejected,
        body=body,
        content_type=message.content_type,
        headers=message.headers or {},
        source=message.source,
        received_at=now,
        truncated=truncated,
    )


def _rejected_id(message: Message) -> str:
    """Made of what the message says, body and CloudEvent attributes, and of nothing that a
    transport adds: a redelivery, from wherever, is the same rejected event."""
    said = hashlib.sha256(message.body)
    if attributes := binary_attributes(message.headers or {}):
        said.update(repr(sorted(attributes.items())).encode("utf-8", "backslashreplace"))
    return said.hexdigest()[:32]
