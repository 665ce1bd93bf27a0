"""Explaining: why a notification goes where it goes, and why not elsewhere. Pure.

Says of every matcher and every target what `plan` made of it. Printed by `tocsin route explain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.dispatch.facts import Facts
from pipeline.dispatch.plan import Plan, plan
from pipeline.dispatch.routing import Matcher, Routing
from pipeline.notification import Notification


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a matcher or of an action: whether it took the notification, and why."""

    name: str
    taken: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that there is to say of where a notification goes."""

    plan: Plan
    policy: Verdict
    matchers: tuple[Verdict, ...]
    targets: tuple[Verdict, ...]


def explain(
    notification: Notification, alarm_actions: Sequence[str], routing: Routing, now: datetime
) -> Explanation:
    """Where a notification would go at this moment, and why not elsewhere."""
    planned = plan(notification, alarm_actions, routing, now)
    policy = _policy(notification, routing)
    facts = Facts(notification, now, routing.zone)
    matchers = [_matcher(each, facts, policy.taken) for each in routing.matchers]
    matchers += [Verdict(name, False, f"broken: {why}") for name, why in routing.broken.items()]
    others = any(verdict.taken for verdict in matchers)
    if routing.default is not None:
        target = routing.kind(notification.kind).target
        spared = _spared(bool(alarm_actions), bool(target), others)
        matchers.append(_default(routing.default, facts, policy.taken, spared))
    return Explanation(planned, policy, tuple(matchers), tuple(_targets(planned, routing)))


def _policy(notification: Notification, routing: Routing) -> Verdict:
    policy = routing.kind(notification.kind).policy
    through = policy.lets_through(notification.severity)
    reason = f"the policy is {policy}, the severity {notification.severity}"
    return Verdict(notification.kind, through, reason)


def _matcher(matcher: Matcher, facts: Facts, through: bool) -> Verdict:
    if not through:
        return Verdict(matcher.name, False, "the policy of the kind lets nothing through")
    return Verdict(matcher.name, matcher.takes(facts), _why(matcher, facts))


def _why(matcher: Matcher, facts: Facts) -> str:
    entry = matcher.entry
    if not matcher.rules:
        return "it has no rules: it always matches"
    holds = [rule for rule in matcher.rules if rule.holds(facts)]
    fails = [rule for rule in matcher.rules if rule not in holds]
    telling = holds if (entry.mode == "any" and holds) or not fails else fails
    word = "holds" if telling is holds else "does not hold"
    said = "; ".join(f"{rule.text} {word}: {rule.found(facts)}" for rule in telling)
    return f"{said} (inverted)" if entry.invert_match else said


def _spared(own: bool, by_kind: bool, others: bool) -> str:
    """Why the default matcher is not asked, `''` if it is."""
    if own:
        return "it is asked only where there is no action"
    if by_kind:
        return "it is asked only where the kind names no target"
    return "it is asked only where no other matcher matches" if others else ""


def _default(matcher: Matcher, facts: Facts, through: bool, spared: str) -> Verdict:
    if through and spared:
        return Verdict(matcher.name, False, spared)
    return _matcher(matcher, facts, through)


def _targets(planned: Plan, routing: Routing) -> Iterator[Verdict]:
    """Every action that is carried out, and every target that is not."""
    for action in planned.actions:
        ways = [way.via for way in planned.ways if way.action == action and not way.refused]
        yield Verdict(action, True, "; ".join(ways))
    for name, target in routing.targets.items():
        action = f"target:{name}"
        if action in planned.actions:
            continue
        refused = [f"{w.refused} ({w.via})" for w in planned.ways if w.action == action]
        unled = "it is disabled" if target.disable else "nothing leads to it"
        yield Verdict(action, False, "; ".join(refused) or unled)
