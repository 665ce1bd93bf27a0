"""Sparing: the notifier's knowledge of whom to spare, and its dealings with the store about it.

It counts what the notifier hears, so that nothing is written of receivers that work; it knows
which breakers are open and which targets have bounds of their own, so that the ordinary claim
leaves these out; and it claims for them what they may have. What is decided stands in
`pipeline.guards`, what is agreed on in the store (`pipeline.store.guards`).

Used by `pipeline.notifier` alone, from its thread, but for `most_at_once`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Protocol

from pipeline.dispatch import receiver
from pipeline.dispatch.entries import TargetEntry
from pipeline.dispatch.guards import Guards, Limit, guards_of, storm_limit
from pipeline.dispatch.routing import Routing
from pipeline.guards import Breaker, BreakerRules, PaceRules, Tally
from pipeline.notification import Attempt, Delivery, Failed, Notification, Refused
from pipeline.observer import Observer
from pipeline.retry import Step
from pipeline.store.base import Outbox
from pipeline.store.guards import (
    Closed,
    Disabled,
    Given,
    GuardedOutbox,
    HandedOn,
    News,
    Opened,
)
from pipeline.targets.settings import DeliverySettings

_LOOK_SECONDS = 1.0
_AHEAD_SECONDS = 0.5
_MOST_PACED = 64
_BETWEEN_PACED_SECONDS = 0.2
"""Under load targets with bounds are looked at no more often; without load none waits for it."""
_NOTHING = Given(())


class GuardingOutbox(Outbox, GuardedOutbox, Protocol):
    """What the notifier needs of the store."""


class Live(Protocol):
    """The routing in force (`pipeline.dispatch.live.LiveRouting`)."""

    @property
    def routing(self) -> Routing:
        """The entries, whose guards and fallbacks count."""


class NothingLive:
    """Nobody has set up anything."""

    routing = Routing(())


@dataclass(frozen=True)
class Guarding:
    """`pipeline.store.guards.Guarding`, by what is in force."""

    live: Live
    settings: DeliverySettings
    plan: Callable[[Notification], Sequence[str]]

    @property
    def rules(self) -> BreakerRules:
        """When a breaker opens, by the settings."""
        return self.settings.breaker_rules

    def fallback(self, action: str) -> str | None:
        """The target's own, or that of the settings; None where that is the one that failed."""
        targets = self.live.routing.targets
        who = receiver(action)
        entry = targets.get(who.removeprefix("target:")) if who.startswith("target:") else None
        if entry and entry.disable:
            return None  # on purpose: nobody else is to have it
        named = (entry.fallback if entry else "") or self.settings.fallback
        if not named:
            return None
        to = named if ":" in named else f"target:{named}"
        found = targets.get(to.removeprefix("target:"))
        return None if receiver(to) == who or (found and found.disable) else to


class Sparing:
    """Whom one notifier spares. `plan` says where a notification of Tocsin's own goes."""

    def __init__(
        self,
        outbox: GuardingOutbox,
        settings: DeliverySettings,
        log: Any,
        observer: Observer,
        live: Live | None = None,
        plan: Callable[[Notification], Sequence[str]] = lambda _: (),
    ) -> None:
        self._outbox, self._settings, self._log, self._observer = outbox, settings, log, observer
        self._live = live or NothingLive()
        self._guarding = Guarding(self._live, settings, plan)
        self._tally = Tally(settings.breaker_rules)
        self._storm = storm_limit(settings.storm)
        self._usual_delays = settings.retry_delays
        self._breakers: Mapping[str, Breaker] = {}
        self._routing: Routing | None = None
        self._paces: dict[str, PaceRules] = {}
        self._concurrency: dict[str, int] = {}
        self._delays: Mapping[str, Sequence[timedelta]] = {}
        self._look_at = self._told_at = self._paced_at = monotonic()

    # --- what is known -----------------------------------------------------------------------

    @property
    def opened(self) -> set[str]:
        """The receivers that nothing goes to but a probe, as far as this notifier knows."""
        return {who for who, breaker in self._breakers.items() if breaker.is_open}

    @property
    def held(self) -> set[str]:
        """The receivers that the ordinary claim leaves out."""
        return self.opened.union(self._paces)

    def most_at_once(self, to: str) -> int:
        """How many attempts there may be to a receiver at the same time. From any thread."""
        return self._concurrency.get(to, self._settings.per_target_concurrency)

    def retry_delays(self, to: str) -> Sequence[timedelta]:
        """What is waited after the first failure of a delivery to a receiver, the second, …"""
        return self._delays.get(to, self._usual_delays)

    def look_again(self) -> None:
        """What is known may be old."""
        self._look_at = self._paced_at = monotonic()

    def refresh(self, *, hurried: bool) -> set[str]:
        """Look, once a second, what other notifiers have found out; the receivers whose breaker
        is newly open. Raises `StoreUnavailable`.

        Where nothing is `hurried` it looks ahead of time, so that it need not when something is.
        """
        self._read_entries()
        if monotonic() < self._look_at - (0 if hurried else _AHEAD_SECONDS):
            return set()
        before = self.opened
        self._breakers = self._outbox.breakers()
        self._look_at = monotonic() + _LOOK_SECONDS
        return self.opened - before

    def next_probe(self) -> datetime | None:
        """When the first receiver may be probed."""
        moments = [breaker.probe_at for breaker in self._breakers.values() if breaker.probe_at]
        return min(moments, default=None)

    # --- deliveries --------------------------------------------------------------------------

    def claim(self, lease: timedelta, now: datetime, busy: Collection[str]) -> Given:
        """What those may have now that are spared. Raises `StoreUnavailable`."""
        probes: list[Delivery] = []
        due = self.next_probe()
        if due and due <= now:
            probes = self._outbox.claim_probes(self._paces, lease, now, busy)
            for probe in probes:
                self._log.info("receiver.probed", receiver=receiver(probe.action))
        if not self._paces:
            return Given(probes) if probes else _NOTHING
        if (wait := self._paced_at - monotonic()) > 0:
            return Given(probes, look_at=now + timedelta(seconds=wait))
        given = self._outbox.claim_paced(self._paces, _MOST_PACED, lease, now, busy)
        if not given.more_for:
            self._paced_at = monotonic() + _BETWEEN_PACED_SECONDS
        for each in given.combined:
            self._log.info(
                "delivery.combined",
                receiver=each.receiver,
                deliveries=each.count,
                digest_id=each.delivery_id,
            )
            self._observer.combined_into_digest(each.receiver, each.count)
        return Given([*probes, *given.deliveries], given.more_for, given.look_at)

    def count(self, delivery: Delivery, attempt: Attempt, at: datetime) -> None:
        """An attempt has ended. One that asked nobody says nothing of the receiver."""
        outcome = attempt.outcome
        if isinstance(outcome, Refused) and not outcome.asked:
            return
        error = outcome.reason or "failed" if isinstance(outcome, Failed) else None
        self._tally.add(receiver(delivery.action), at, error)

    def finish(self, results: Sequence[tuple[Delivery, Attempt, Step]]) -> Sequence[News]:
        """Record the attempts; what came of that. Raises `StoreUnavailable`."""
        heard = self._tally.told_of(self._to_tell())
        news = self._outbox.finish(results, heard, self._guarding)
        self._tally.done(heard)
        if heard:
            self._told_at = monotonic()
        if news:
            self.look_again()
            for each in news:
                self._tell(each)
        return news

    def _to_tell(self) -> set[str]:
        """The receivers that something is to be told of: who failed; now and then those that have
        failed lately, so that what they took counts as well; those with a probe out."""
        failed = self._tally.failed()
        if not self._breakers:
            return failed
        if monotonic() - self._told_at >= _LOOK_SECONDS:
            return failed.union(self._breakers)
        failing = {w for w, b in self._breakers.items() if b.is_open or b.failing_since}
        return failed | failing

    def _tell(self, news: News) -> None:
        match news:
            case Opened(who, error, probe_at):
                self._log.warning(
                    "receiver.spared", receiver=who, reason=error, next_try=probe_at.isoformat()
                )
            case Closed(who, since):
                self._log.info("receiver.recovered", receiver=who, since=since.isoformat())
            case Disabled(target, reason):
                self._log.error("target.disabled", target=target, reason=reason)
            case HandedOn(delivery_id, to, as_delivery_id):
                self._log.info(
                    "delivery.handed_on",
                    delivery_id=delivery_id,
                    to=to,
                    as_delivery_id=as_delivery_id,
                )

    # --- entries -----------------------------------------------------------------------------

    def _read_entries(self) -> None:
        routing = self._live.routing
        if routing is self._routing:
            return
        paces, concurrency, delays = {}, {}, {}
        for name, entry in routing.targets.items():
            guards = guards_of(entry.guards)
            rules = PaceRules(guards.rate, self._storm_of(entry, guards))
            if rules != PaceRules():
                paces[f"target:{name}"] = rules
            if guards.concurrency:
                concurrency[f"target:{name}"] = guards.concurrency
            if guards.retry_delays is not None:
                delays[f"target:{name}"] = guards.retry_delays
        self._routing, self._paces = routing, paces
        self._concurrency, self._delays = concurrency, delays

    def _storm_of(self, entry: TargetEntry, guards: Guards) -> Limit | None:
        if guards.storm is None:
            return self._storm if entry.type in self._settings.storm_types else None
        return guards.storm if isinstance(guards.storm, Limit) else None
