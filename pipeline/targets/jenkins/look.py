"""Look: what has become of a job that was triggered, by asking Jenkins once.

A look is of the queue item until that has become a build, then of the build; the look that learns
the build's number looks at the build as well. Used by `pipeline.targets.jenkins.target` alone;
what follows from it is decided in `verdict`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.notification import Failed, Outcome, Progress, Refused
from pipeline.targets.answer import Answer
from pipeline.targets.jenkins import replies, verdict
from pipeline.targets.jenkins.address import job_path
from pipeline.targets.jenkins.server import Bounds, Server
from pipeline.targets.jenkins.verdict import Found

_STRANGE: Final = verdict.Unheard("it answered 200, but not as Jenkins does")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found, the progress with it, and the status of the answer that told it."""

    found: Found
    progress: Progress
    status: int | None


def look(server: Server, progress: Progress, by: Bounds) -> Seen:
    """What has become of the job that was triggered."""
    if "build" in progress:
        return _at_build(server, progress, by)
    answer = server.get(f"/queue/item/{progress['queue_item']}", replies.QUEUE_TREE, by)
    if not isinstance(answer, Answer) or answer.status not in (200, 404):
        return Seen(_unheard(server, answer), progress, answer.status)
    if answer.status == 404:
        return _forgotten(server, progress, by)
    item = replies.queue_item(answer.body)
    if item is not None and item.build is not None:
        return _at_build(server, _with_build(server, progress, item.build), by)
    if item is None:
        return Seen(_STRANGE, progress, answer.status)
    found = verdict.Ended(verdict.CANCELLED) if item.cancelled else verdict.Queued(item)
    return Seen(found, progress, answer.status)


def _forgotten(server: Server, progress: Progress, by: Bounds) -> Seen:
    """Jenkins forgets an item five minutes after it left the queue; its build remembers it."""
    answer = server.get(job_path(progress["job"]), replies.BUILDS_TREE, by)
    if not isinstance(answer, Answer) or answer.status not in (200, 404):
        return Seen(_unheard(server, answer), progress, answer.status)
    item = progress["queue_item"]
    number = replies.build_of(answer.body, item) if answer.status == 200 else None
    if number is not None:
        return _at_build(server, _with_build(server, progress, number), by)
    why = f"Jenkins knows neither queue item {item} nor a build of it now"
    return Seen(verdict.Lost(why), progress, answer.status)


def _at_build(server: Server, progress: Progress, by: Bounds) -> Seen:
    path = f"{job_path(progress['job'])}/{progress['build']}"
    answer = server.get(path, replies.BUILD_TREE, by)
    if not isinstance(answer, Answer) or answer.status not in (200, 404):
        return Seen(_unheard(server, answer), progress, answer.status)
    found: Found = verdict.Lost(f"Jenkins has removed build {progress['build']}")
    if answer.status == 200:
        build = replies.build(answer.body)
        found = _STRANGE if build is None else verdict.Running()
        if build is not None and build.result is not None:
            found = verdict.Ended(build.result)
    return Seen(found, progress, answer.status)


def _with_build(server: Server, progress: Progress, number: int) -> Progress:
    url = f"{server.url}{job_path(progress['job'])}/{number}/"
    return {**progress, "build": number, "url": url}


def _unheard(server: Server, answer: Answer | Outcome) -> Found:
    """Why nothing was found out: for now, or for good."""
    outcome = answer
    if isinstance(answer, Answer):
        outcome = server.trouble(answer, "look at the build")
    if isinstance(outcome, Failed):
        return verdict.Unheard(outcome.reason)
    reason = outcome.reason if isinstance(outcome, Refused) else ""
    return verdict.Lost(f"triggered, but what became of it is not known: {reason}")
