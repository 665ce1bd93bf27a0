"""Sending: what a person or a script tells of by itself (notifications 17, 19).

Checked against the contract of its kind, planned, and written with its deliveries; a notifier
delivers them. Called by `tocsin send`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline import severity as severities
from pipeline.dispatch.plan import Plan, plan
from pipeline.dispatch.routing import Routing
from pipeline.errors import InvalidValue
from pipeline.kinds import Kind, Policy, check
from pipeline.notification import Notification, Occurrence
from pipeline.registry import one_of


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, and to which actions. `nobody` says why, where nobody takes it."""

    notification: Notification
    actions: Sequence[str]
    nobody: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends by the routing in force. `notify` plans a notification and writes it."""

    routing: Routing
    notify: Callable[..., Sequence[str]]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def send(
        self,
        kind: Kind,
        fields: Mapping[str, Any],
        severity: str | None = None,
        to: Sequence[str] = (),
    ) -> Sent:
        """Tell of it: those that matchers name, or only `to`, names of targets and groups.

        Raises `InvalidValue` with all that keeps the fields from the kind's contract, and for a
        severity or a name that nobody has.
        """
        if problems := check(fields, kind):
            raise InvalidValue(" ".join(problems))
        word = kind.severity if severity is None else severities.checked(severity)
        subject = Occurrence(kind.id, fields)
        now = self.clock()
        notification = Notification(self.new_id(), word, now, subject)
        asked, only = [self._action(name) for name in to], bool(to)
        actions = self.notify(notification, asked, only=only)
        if actions:
            return Sent(notification, actions)
        made = plan(notification, asked, self.routing, now, only=only)
        return Sent(notification, (), _why(made, kind, word))

    def _action(self, name: str) -> str:
        if name in self.routing.targets:
            return f"target:{name}"
        if name in self.routing.groups:
            return f"group:{name}"
        known = sorted([*self.routing.targets, *self.routing.groups])
        meant = one_of(name, known) if known else "Make one: tocsin target create"
        raise InvalidValue(f"no target and no group is called {name!r}. {meant}")


def _why(made: Plan, kind: Kind, severity: str) -> str:
    """Why nobody takes what was planned."""
    refused = list(dict.fromkeys(way.refused for way in made.ways if way.refused))
    if refused or made.problems:
        return "; ".join([*refused, *made.problems])
    if kind.policy.lets_through(severity):
        return "no matcher takes it, and there is no default matcher with a target"
    if kind.policy is Policy.NEVER:
        return f"the policy of {kind.id} is never; a file of kinds turns it on (kinds.file)"
    return (
        f"the policy of {kind.id} is auto: it is told from severity error on, this is {severity}"
    )
