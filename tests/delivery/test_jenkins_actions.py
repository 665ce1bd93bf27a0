"""A `jenkins:` URL stands for a job, and says what is wrong with it without its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import structlog

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

from delivery.jenkins_jobs import seed, triggered
from delivery.jenkins_server import API_TOKEN, USER, Jenkins, Job
from delivery.notifying import Clock
from delivery.receivers import PATIENCE


def test_an_action_stands_for_a_job() -> None:
    job = Job("ops/transfer", {"USER_ID": "", "WHO": ""})
    with Jenkins(job, prefix="/ci") as server:
        root = server.root.replace("http://", f"jenkins://{USER}:{API_TOKEN}@")
        query = "USER_ID={{ traits.user_id }}&WHO=%2B%7B%7Btraits.initiator_id%7D%7D"
        action = f"{root}/job/ops/job/transfer?{query}"
        tools = Tools.by(DeliverySettings(**PATIENCE), Clock(), structlog.get_logger())
        triggered(targets.from_action(action, tools).deliver(seed()))
        tools.http.close()

    assert server.items[0].parameters == {"USER_ID": "u 2/ü", "WHO": "+i-1"}


@pytest.mark.parametrize(
    ("action", "url", "job"),
    [
        ("jenkins://u:t@ci/tidy", "http://ci", "tidy"),
        ("jenkinss://u:t@ci:8443/ops/a%20b/tidy", "https://ci:8443", "ops/a b/tidy"),
        ("JENKINSS://u:t@[::1]/tidy/", "https://[::1]", "tidy"),
        ("jenkins://u:t@ci/job/ops/job/tidy/", "http://ci", "ops/tidy"),
        ("jenkins://u:t@ci/x/y/job/ops/job/tidy/buildWithParameters", "http://ci/x/y", "ops/tidy"),
        ("jenkins://u:t@ci/ci/view/all/job/tidy/build", "http://ci/ci", "tidy"),
        ("jenkins://u:t@ci/job/job/job/build", "http://ci", "job/build"),
    ],
)
def test_the_path_of_an_action_is_folders_or_jenkins_own(action: str, url: str, job: str) -> None:
    options = targets.of_type("jenkins").options_of(action)

    assert options == {
        "url": url,
        "job": job,
        "user": "u",
        "api_token": "t",
        "parameters": {},
    }


def test_the_query_of_an_action_is_parameters_and_options() -> None:
    options = targets.of_type("jenkins").options_of(
        "jenkins://ci/tidy?A=&B={{ 1 }}&token=s3cret&tocsin-wait=started"
        "&tocsin-failed-build=retry&tocsin-follow-seconds=60&tocsin-verify=0"
    )

    assert options == {
        "url": "http://ci",
        "job": "tidy",
        "parameters": {"A": "", "B": "{{ 1 }}"},
        "trigger_token": "s3cret",
        "wait": "started",
        "failed_build": "retry",
        "follow_seconds": "60",
        "verify": "0",
    }
    targets.check_action("jenkins://ci/tidy?tocsin-verify=0&tocsin-follow-seconds=60")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("jenkins://u:hunter22@/tidy", "names no host"),
        ("jenkins://u:hunter22@ci/", "names no job"),
        ("jenkins://u:hunter22@ci:x/tidy", "not a URL"),
        ("jenkins://hunter22@ci/tidy", "go together"),
        ("jenkins://u:hunter22@ci/job/a/b/tidy", "not a job's"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-wiat=no", "Unknown option tocsin-wiat"),
        ("jenkins://u:hunter22@ci/tidy?A=1&A=2", "A stands there twice"),
        ("jenkins://u:hunter22@ci/tidy?A={{ hunter", "parameters.A: unexpected end"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-wait=forever", "wait: Must be one of"),
        ("jenkins://u:hunter22@ci/tidy?tocsin-follow-seconds=1e9", "follow_seconds: "),
    ],
)
def test_an_action_that_stands_for_no_job_is_refused(action: str, said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        targets.check_action(action)

    assert said in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "https://u:hunter22@ci"}, "url: Give the address of Jenkins alone"),
        ({"url": "https://ci/?tree=x"}, "url: Give the address of Jenkins alone"),
        ({"user": "u"}, "api_token: User and API token go together"),
        ({"job": "/tidy"}, "job: "),
        ({"job": "a//b"}, "job: "),
        ({"parameters": {"A": "{% if %}"}}, "parameters.A: "),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Mapping[str, Any], said: str) -> None:
    tools = Tools.by(DeliverySettings(), Clock(), structlog.get_logger())
    with pytest.raises(InvalidValue) as caught:
        targets.from_options("jenkins", {"url": "https://ci", "job": "tidy", **options}, tools)

    assert said in str(caught.value)
    assert "hunter22" not in str(caught.value)
