"""Verdict: what was found out of a job that was triggered → an outcome.

A job that Jenkins queued has been told: its delivery arrives, and what became of the build is
recorded with it. Whoever needs the build to succeed says so (`failed_build`): then a build that
failed, was aborted or cancelled makes a dead letter, or is triggered again on the schedule of
retries. A result that cannot be found out never triggers it again: the build may have done its
work.

Pure. Used by `pipeline.targets.jenkins.target` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from pipeline.notification import Delivered, Failed, InProgress, Outcome, Progress, Refused
from pipeline.targets.jenkins.replies import QueueItem

RAN: Final = frozenset({"SUCCESS", "UNSTABLE"})
"""Results of builds that did their work; UNSTABLE is for failed tests."""

CANCELLED, UNKNOWN = "CANCELLED", "UNKNOWN"
"""Results that are not Jenkins' own: left the queue without a build; nobody knows any more."""

_SOONEST, _LATEST = timedelta(seconds=1), timedelta(minutes=1)


class Wait(StrEnum):
    """Until when a job is followed."""

    QUEUED = "queued"
    STARTED = "started"
    FINISHED = "finished"


class FailedBuild(StrEnum):
    """What a build stands for that did not do its work."""

    DELIVERED = "delivered"
    DEAD_LETTER = "dead-letter"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Policy:
    """What people want of a target; `follow` is for how long at most."""

    wait: Wait
    failed_build: FailedBuild
    follow: timedelta


@dataclass(frozen=True, slots=True)
class Queued:
    """It waits for its build."""

    item: QueueItem


@dataclass(frozen=True, slots=True)
class Running:
    """Its build runs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Its build has ended, or there will be none."""

    result: str


@dataclass(frozen=True, slots=True)
class Lost:
    """It cannot be found out any more. `why` says why."""

    why: str


@dataclass(frozen=True, slots=True)
class Unheard:
    """Jenkins cannot be asked at the moment. `why` says why."""

    why: str


Found: TypeAlias = Queued | Running | Ended | Lost | Unheard


def begun(job: str, item: int, now: datetime) -> Progress:
    """The progress of a job that was just triggered."""
    return {"job": job, "queue_item": item, "triggered_at": now.isoformat()}


def first_look(said: str, progress: Progress, status: int) -> Outcome:
    """It was triggered just now; soon look what has become of it."""
    return InProgress(said, progress, _SOONEST, status)


def is_under_way(progress: Progress | None) -> bool:
    """Whether a job was triggered and its end is not known."""
    return bool(progress) and "queue_item" in (progress or {}) and "result" not in (progress or {})


def outcome(
    found: Found, progress: Progress, policy: Policy, now: datetime, status: int | None
) -> Outcome:
    """What it means for the delivery; the outcome has the progress as it now is."""
    build = f"build {progress.get('build')} of {progress['job']}"
    match found:
        case Queued(item=item):
            why = f": {item.why}" if item.why else ""
            said = f"queue item {progress['queue_item']} is {item.state}{why}"
            return _look({**progress, "state": item.state}, said, policy, now, status)
        case Running() if policy.wait is not Wait.FINISHED:
            return Delivered(status, note=f"{build} has started", progress=progress)
        case Running():
            return _look({**progress, "state": "running"}, f"{build} runs", policy, now, status)
        case Ended(result=result):
            said = f"{build} ended as {result}"
            if result == CANCELLED:
                said = f"queue item {progress['queue_item']} was cancelled before it ran"
            return _ended(result, said, {**progress, "state": "ended"}, policy, status)
        case Lost(why=why):
            return _ended(UNKNOWN, why, {**progress, "state": "lost"}, policy, status)
        case Unheard(why=why):
            said = f"triggered, but Jenkins cannot be asked: {why}"
            return _look({**progress, "state": "unheard"}, said, policy, now, status)


def _look(
    progress: Progress, said: str, policy: Policy, now: datetime, status: int | None
) -> Outcome:
    """Look again, the longer it takes the more seldom; in the end no more."""
    elapsed = now - datetime.fromisoformat(progress["triggered_at"])
    if elapsed >= policy.follow:
        seconds = policy.follow.total_seconds()
        why = f"{said}; it is followed for {seconds:g} s (follow_seconds) and no longer"
        return _ended(UNKNOWN, why, progress, policy, status)
    wait = min(max(elapsed / 4, _SOONEST), _LATEST)
    return InProgress(said, progress, wait, status)


def _ended(
    result: str, said: str, progress: Progress, policy: Policy, status: int | None
) -> Outcome:
    progress = {**progress, "result": result}
    if result in RAN or policy.failed_build is FailedBuild.DELIVERED:
        return Delivered(status, note=said, progress=progress)
    if result == UNKNOWN:
        look = "Look at Jenkins whether it ran, then replay or purge the dead letter"
        return Refused(f"{said}. {look}", status, progress=progress)
    if policy.failed_build is FailedBuild.DEAD_LETTER:
        return Refused(f"{said}. Replaying it triggers the job again", status, progress=progress)
    return Failed(said, status, progress=progress)
