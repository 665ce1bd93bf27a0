"""Targets at the desk: their types, and targets tried and told again (notifications 11, 14).

To try a target takes the permission to use it. Receivers that are no targets belong to everybody:
who is held to projects or names does not enable them.
"""

from __future__ import annotations

from pipeline import entries, targets
from pipeline.access import Caller, Permission
from pipeline.desk.base import Document, Parts
from pipeline.desk.past import seen
from pipeline.dispatch import named
from pipeline.errors import InvalidValue, NotFound
from pipeline.masking import mask_url
from pipeline.notification import Notification, Occurrence, outcome_name
from pipeline.past import Reference, as_told
from pipeline.targets.description import described

_KIND = "target"


class LocalTargets:
    """`desk.base.Targets`."""

    def __init__(self, parts: Parts, caller: Caller) -> None:
        self._parts, self._caller = parts, caller

    def types(self) -> list[str]:
        """The types that a target may have, by name."""
        self._caller.require(Permission.AUDIT)
        return targets.types()

    def options(self, type: str) -> list[Document]:
        """A type's options."""
        self._caller.require(Permission.AUDIT)
        return [
            {"option": each.name, "holds": each.holds, "needed": each.needed,
             "secret": each.secret}
            for each in described(type)
        ]  # fmt: skip

    def test(self, name: str, of: Reference | None = None) -> Document:
        """Tell a target something now, and what came of it."""
        self._caller.require(Permission.USE)
        self._check(name)
        attempt = self._parts.telling.attempt(name, self._told(name, of))
        outcome = attempt.outcome
        return {
            "target": name,
            "outcome": outcome_name(outcome),
            "status": outcome.status,
            "reason": getattr(outcome, "reason", "") or getattr(outcome, "note", ""),
            "seconds": round(attempt.duration_seconds, 3),
            "response_head": outcome.response_head,
        }

    def enable(self, receiver: str) -> Document:
        """Tell somebody again who was disabled or is spared."""
        self._caller.require(Permission.MANAGE)
        action = receiver if ":" in receiver else f"{_KIND}:{receiver}"
        shown, name = mask_url(action), named(action, _KIND)
        if name is None:
            self._caller.require_all(Permission.MANAGE)
            self._caller.require_name(Permission.MANAGE, shown)
        elif not self._caller.reaches(name):
            raise NotFound(f"Target {name} not found.")
        store = self._parts.store
        enabled = [store.enable(each) for each in self._meant(action, name)]
        if any(enabled):
            return {"receiver": shown, "enabled": True}
        if name and getattr(entries.found(store, _KIND, name).entry, "disable", False):
            raise InvalidValue(
                f"{name} is disabled by its own setting."
                f" Enable it: tocsin target update {name} --enable"
            )
        return {"receiver": shown, "enabled": False}

    def _meant(self, action: str, name: str | None) -> list[str]:
        """The disabled actions that are shown so, without secrets; else the action itself."""
        if name is not None:
            return [action]
        disabled = self._parts.store.counts().disabled_actions
        return [each for each in disabled if mask_url(each) == action] or [action]

    def _check(self, name: str) -> None:
        """Raise `NotFound` for a target that is not there, or is not the caller's to see."""
        if not self._caller.reaches(name):
            raise NotFound(f"Target {name} not found.")
        entries.found(self._parts.store, _KIND, name)

    def _told(self, name: str, of: Reference | None) -> Notification:
        """A test message, or what a past event tells."""
        if of is not None:
            return as_told(*seen(self._parts, self._caller, of))
        kind = self._parts.kinds.find("test")
        subject = Occurrence(kind.id, {"target": name})
        return Notification(self._parts.new_id(), kind.severity, self._parts.clock(), subject)
