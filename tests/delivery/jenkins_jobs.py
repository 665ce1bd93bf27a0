"""What the tests of Jenkins jobs share: a job, a target of it, and what is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from pipeline import targets
from pipeline.notification import Delivery, InProgress, Outcome
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings

from builders import a_delivery, a_notification, an_event
from delivery.jenkins_server import API_TOKEN, USER, Jenkins, Job
from delivery.notifying import Clock
from delivery.receivers import PATIENCE

TRANSFER = {
    "INITIATOR_ID": "{{ traits.initiator_id }}",
    "USER_ID": "{{ traits.user_id }}",
    "PROJECT_ID": "{{ traits.project_id }}",
}


def transfer_job(**changes: Any) -> Job:
    return Job("transfer_ownership", dict.fromkeys(TRANSFER, "nobody"), **changes)


@contextmanager
def jenkins_target(
    server: Jenkins, clock: Clock | None = None, **options: Any
) -> Iterator[Target]:
    """A target of that server's first job."""
    settings = DeliverySettings(**PATIENCE)
    tools = Tools.by(settings, clock or Clock(), structlog.get_logger())
    given = {"url": server.root, "job": next(iter(server.jobs), "x"), "user": USER,
             "api_token": API_TOKEN, **options}  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    yield targets.from_options("jenkins", given, tools)
    tools.http.close()


def told(**traits: Any) -> Delivery:
    event = an_event(event_type="identity.user.deleted", **traits)
    reason_data = {"type": "event", "event": event.as_dict()}
    return a_delivery("target:ci", notification=a_notification(reason_data=reason_data))


def seed() -> Delivery:
    return told(initiator_id="i-1", user_id="u 2/ü", project_id="p-3")


def next_attempt(delivery: Delivery, outcome: Outcome) -> Delivery:
    """The delivery as the next attempt gets it."""
    return a_delivery(delivery.action, progress=outcome.progress, delivery_id=delivery.delivery_id)


def triggered(outcome: Outcome) -> Mapping[str, Any]:
    assert isinstance(outcome, InProgress), outcome
    return outcome.progress
