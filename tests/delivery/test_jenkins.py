"""A notification starts a Jenkins job with what the event says, or says how to mend it.

Against a server that speaks as Jenkins does (`delivery.jenkins_server`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from pipeline.notification import Delivered, Failed, InProgress, Refused

from builders import NOON, a_delivery, an_occurrence
from delivery.jenkins_jobs import (
    TRANSFER,
    jenkins_target,
    next_attempt,
    seed,
    told,
    transfer_job,
    triggered,
)
from delivery.jenkins_server import PASSWORD, Jenkins, Job

# --- trigger -------------------------------------------------------------------------------------


def test_the_job_gets_what_the_event_says() -> None:
    """The seed's scenario."""
    with Jenkins(transfer_job()) as server, jenkins_target(server, parameters=TRANSFER) as target:
        outcome = target.deliver(seed())

    (item,) = server.items
    assert item.parameters == {"INITIATOR_ID": "i-1", "USER_ID": "u 2/ü", "PROJECT_ID": "p-3"}
    assert outcome == InProgress(
        f"the job transfer_ownership was triggered: queue item {item.number}",
        {
            "job": "transfer_ownership",
            "queue_item": item.number,
            "triggered_at": NOON.isoformat(),
        },
        timedelta(seconds=1),
        201,
    )
    assert server.requests == [
        "GET /job/transfer_ownership/api/json",
        "POST /job/transfer_ownership/buildWithParameters",
    ]


@pytest.mark.parametrize("prefix", ["", "/ci", "/a%20b/ci"])
def test_a_job_stands_in_folders_under_a_prefix(prefix: str) -> None:
    job = Job("ops/über team/clean up")
    with Jenkins(job, prefix=prefix) as server, jenkins_target(server) as target:
        first = target.deliver(seed())
        server.finish(server.items[0])
        second = target.deliver(next_attempt(seed(), first))

    assert isinstance(second, Delivered)
    assert (second.progress or {})["url"] == (
        f"{server.root}/job/ops/job/%C3%BCber%20team/job/clean%20up/7/"
    )


@pytest.mark.parametrize(
    "written",
    [
        TRANSFER,
        [f"{name}={template}" for name, template in TRANSFER.items()],
        [{"name": name, "value": template} for name, template in TRANSFER.items()],
    ],
)
def test_parameters_are_written_as_people_like(written: Any) -> None:
    with Jenkins(transfer_job()) as server, jenkins_target(server, parameters=written) as target:
        triggered(target.deliver(seed()))

    assert set(server.items[0].parameters.values()) == {"i-1", "u 2/ü", "p-3"}


def test_a_job_without_parameters_is_built_plainly() -> None:
    with Jenkins(Job("tidy")) as server, jenkins_target(server) as target:
        triggered(target.deliver(seed()))

    assert server.requests[-1] == "POST /job/tidy/build"


def test_a_parameterised_job_may_be_left_to_its_defaults() -> None:
    with Jenkins(transfer_job()) as server, jenkins_target(server) as target:
        triggered(target.deliver(seed()))

    assert set(server.items[0].parameters.values()) == {"nobody"}


def test_a_password_needs_a_crumb_and_its_session() -> None:
    with Jenkins(Job("tidy")) as server, jenkins_target(server, api_token=PASSWORD) as target:
        triggered(target.deliver(seed()))
        server.start(server.items[0])
        triggered(target.deliver(seed()))
        server.start(server.items[1])
        server.forget_sessions()
        triggered(target.deliver(seed()))

    asked = [
        request for request in server.requests if "api/json" not in request or "crumb" in request
    ]
    crumb, post = "GET /crumbIssuer/api/json", "POST /job/tidy/build"
    assert asked == [post, crumb, post, post, post, crumb, post]
    assert len(server.items) == 3


def test_an_api_token_needs_no_crumb() -> None:
    with Jenkins(Job("tidy")) as server, jenkins_target(server) as target:
        triggered(target.deliver(seed()))

    assert "GET /crumbIssuer/api/json" not in server.requests


def test_a_trigger_token_starts_the_job_and_says_why_it_did() -> None:
    job = Job("tidy", trigger_token="tr1gger t0ken")
    with Jenkins(job) as server:
        server.may_build = False
        with jenkins_target(server, trigger_token="tr1gger t0ken") as target:
            delivery = seed()
            triggered(target.deliver(delivery))
        with jenkins_target(server, trigger_token="another") as target:
            refused = target.deliver(seed())

    assert server.items[0].cause.startswith("Tocsin: ")
    assert delivery.delivery_id in server.items[0].cause
    assert isinstance(refused, Refused)
    assert "the trigger_token given here is not that of the job 'tidy'" in refused.reason
    assert all("t0ken" not in callback.path for callback in server.callbacks)


def test_one_that_waits_already_with_the_same_parameters_is_followed() -> None:
    with Jenkins(transfer_job()) as server, jenkins_target(server, parameters=TRANSFER) as target:
        first, second = target.deliver(seed()), target.deliver(seed())

    assert len(server.items) == 1
    assert triggered(first)["queue_item"] == triggered(second)["queue_item"]
    assert isinstance(second, InProgress)
    assert "which waited with the same parameters already" in second.note


# --- what is wrong, and how to mend it -----------------------------------------------------------


def test_a_parameter_without_its_trait_triggers_nothing() -> None:
    with Jenkins(transfer_job()) as server, jenkins_target(server, parameters=TRANSFER) as target:
        outcome = target.deliver(told(initiator_id="i-1", project_id="p-3"))
        of_no_event = target.deliver(a_delivery(notification=an_occurrence()))

    assert isinstance(outcome, Refused)
    assert "parameter USER_ID" in outcome.reason
    assert "user_id" in outcome.reason
    assert isinstance(of_no_event, Refused)
    assert server.requests == []


@pytest.mark.parametrize(
    ("job", "parameters", "said"),
    [
        (
            Job("tidy"),
            {"A": "1", "B": "2"},
            "not parameterised, but A, B would be given. Add them",
        ),
        (
            transfer_job(),
            {**TRANSFER, "USR_ID": "1"},
            "has no parameter USR_ID, and Jenkins would drop it. It has INITIATOR_ID, USER_ID,"
            " PROJECT_ID. Did you mean 'USER_ID'?",
        ),
        (
            Job("deploy", {"WHERE": "test"}, choices={"WHERE": ["test", "live"]}),
            {"WHERE": "moon"},
            "parameter WHERE of the job 'deploy' cannot be 'moon': one of test, live",
        ),
    ],
)
def test_parameters_that_do_not_fit_the_job_trigger_nothing(
    job: Job, parameters: Mapping[str, str], said: str
) -> None:
    with Jenkins(job) as server, jenkins_target(server, parameters=parameters) as target:
        outcome = target.deliver(seed())

    assert isinstance(outcome, Refused)
    assert said in outcome.reason
    assert not any(request.startswith("POST") for request in server.requests)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"job": "nope"}, "cannot read the job 'nope': answered 404 Not Found. Check its name"),
        ({"job": "ops"}, "'ops' is no job that can be built: a folder?"),
        ({"api_token": "wrong"}, "User 'tocsin' and the API token do not fit: make a new token"),
        ({"user": None, "api_token": None}, "Give everybody (no user is given) the permissions"),
    ],
)
def test_what_will_never_work_says_how_to_mend_it(options: Mapping[str, Any], said: str) -> None:
    with (
        Jenkins(Job("ops/tidy"), crumbs=False) as server,
        jenkins_target(server, **options) as target,
    ):
        outcome = target.deliver(seed())

    assert isinstance(outcome, Refused)
    assert said in outcome.reason


def test_who_may_not_see_or_build_the_job_is_told_what_is_missing() -> None:
    with Jenkins(Job("tidy")) as server, jenkins_target(server) as target:
        server.may_build = False
        not_built = target.deliver(seed())
        server.may_read = False
        not_seen = target.deliver(seed())

    assert isinstance(not_built, Refused)
    assert "cannot trigger the job 'tidy': answered 403" in not_built.reason
    assert "Give user 'tocsin' the permissions" in not_built.reason
    assert isinstance(not_seen, Refused)
    assert "user 'tocsin' may not see it" in not_seen.reason


def test_what_is_no_jenkins_is_asked_about() -> None:
    with Jenkins(prefix="/ci") as server:
        elsewhere = server.root.removesuffix("/ci")
        with jenkins_target(server, url=f"{elsewhere}/wrong", job="tidy") as target:
            wrong_prefix = target.deliver(seed())

    assert isinstance(wrong_prefix, Refused)
    assert "answered 404" in wrong_prefix.reason


def test_a_job_that_is_disabled_may_be_enabled_later() -> None:
    with Jenkins(Job("tidy", buildable=False)) as server, jenkins_target(server) as target:
        outcome = target.deliver(seed())

    assert outcome == Failed("the job 'tidy' is disabled. Enable it in Jenkins")


def test_a_job_that_a_plugin_keeps_from_the_queue_is_tried_again() -> None:
    with Jenkins(Job("ops/tidy", vetoed=True)) as server, jenkins_target(server) as target:
        outcome = target.deliver(seed())

    assert isinstance(outcome, Failed)
    assert "did not queue the job 'ops/tidy'" in outcome.reason
