"""The plan: which actions a notification is delivered to, and why (notifications 8 to 10, 19).

1. An alarm's own actions for its state, always. `target:` and `group:` lead to what people named.
2. Where the policy of the notification's kind lets it through: the kind's target, and the targets
   of every matcher that takes it.
3. Where there is no own action, no kind's target and no matcher that takes it: the default
   matcher's targets.

A target gets a notification once, however many ways lead there. Disabled targets and groups are
left out; so is who has a filter that asks for more.

Pure. Called by the worker in its transaction, by whoever tells of anything else, and by `explain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.dispatch.action import named
from pipeline.dispatch.facts import Facts
from pipeline.dispatch.routing import Matcher, Routing
from pipeline.notification import Notification
from pipeline.severity import at_least


@dataclass(frozen=True, slots=True)
class Way:
    """One way that led to an action: who sent it there, and why it was not taken, `''` if it was.

    `via` reads `the alarm`, `matcher nights`, `matcher nights, group admins`.
    """

    action: str
    via: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a notification: its actions, each once, and all ways that were looked at.

    `problems` say what leads to nothing because nobody has that name.
    """

    actions: tuple[str, ...]
    ways: tuple[Way, ...] = ()
    problems: tuple[str, ...] = ()


def plan(
    notification: Notification,
    alarm_actions: Sequence[str],
    routing: Routing,
    now: datetime,
    *,
    only: bool = False,
) -> Plan:
    """Where a notification goes. `now` is aware; of anything but an alarm the actions are those
    that it was sent to by name, and `only` to these where nobody else is to hear of it."""
    walk = _Walk(routing, notification.severity)
    own = "the alarm" if notification.alarm else "the sender"
    for action in alarm_actions:
        walk.lead_to(action, own)
    kind = routing.kind(notification.kind)
    if not only and kind.policy.lets_through(notification.severity):
        if kind.target:
            walk.lead_to_name(kind.target, f"kind {kind.id}")
        facts = Facts(notification, now, routing.zone)
        taking = [each for each in routing.candidates(facts) if each.takes(facts)]
        last = routing.default
        if not (taking or alarm_actions or kind.target) and last and last.takes(facts):
            taking = [last]
        walk.lead_by(taking)
    return Plan(tuple(walk.actions), tuple(walk.ways), tuple(walk.problems))


class _Walk:
    """The ways from one notification to its actions."""

    def __init__(self, routing: Routing, severity: str) -> None:
        self._routing, self._severity = routing, severity
        self.actions: dict[str, None] = {}
        self.ways: list[Way] = []
        self.problems: list[str] = []

    def lead_to(self, action: str, via: str) -> None:
        """To an action as an alarm has it."""
        if name := named(action, "group"):
            self._to_group(name, via)
        elif name := named(action, "target"):
            if name in self._routing.targets:
                self._to_target(name, via)
            else:
                # Delivered all the same: it dies visibly, and can be replayed once there is one.
                self._miss(f"{via} leads to target:{name}, which does not exist")
                self._take(f"target:{name}", via)
        else:
            self._take(action, via)

    def lead_by(self, matchers: Iterable[Matcher]) -> None:
        """To the targets of matchers."""
        for matcher in matchers:
            for name in matcher.entry.targets:
                self.lead_to_name(name, f"matcher {matcher.name}")

    def lead_to_name(self, name: str, via: str) -> None:
        """To the target or group of this name."""
        if name in self._routing.targets:
            self._to_target(name, via)
        else:
            self._to_group(name, via)

    def _to_group(self, name: str, via: str) -> None:
        group = self._routing.groups.get(name)
        if group is None:
            self._miss(f"{via} leads to {name!r}, which is neither a target nor a group")
            return
        through = f"{via}, group {name}"
        refused = self._refusal("group", name, group.disable, group.filter)
        for target in group.targets:
            if refused:
                self.ways.append(Way(f"target:{target}", through, refused))
            elif target in self._routing.targets:
                self._to_target(target, through)
            else:
                self._miss(f"{through} leads to target {target!r}, which does not exist")

    def _to_target(self, name: str, via: str) -> None:
        target = self._routing.targets[name]
        refused = self._refusal("target", name, target.disable, target.filter)
        if refused:
            self.ways.append(Way(f"target:{name}", via, refused))
        else:
            self._take(f"target:{name}", via)

    def _refusal(self, kind: str, name: str, disabled: bool, filter: str) -> str:
        """Why a target or group does not take the notification, `''` if it does."""
        if disabled:
            return f"{kind} {name} is disabled"
        held = self._routing.filters.get(filter)
        if held is None or at_least(self._severity, held.min_severity):
            return ""
        return f"{kind} {name} has filter {filter}: at least {held.min_severity}"

    def _take(self, action: str, via: str) -> None:
        self.actions[action] = None
        self.ways.append(Way(action, via))

    def _miss(self, problem: str) -> None:
        self.problems.append(problem)
