"""Keystone tells of a user, and a Jenkins job runs for it: no proxy and no script in between.

A notification as Keystone sent it (`tests/data`), `tocsin run` in a process of its own, and a
server that speaks as Jenkins does.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from delivery.jenkins_server import API_TOKEN, PASSWORD, USER, Item, Jenkins, Job
from messages import captured
from processes import TocsinProcess, tocsin
from waiting import eventually

JOB = Job("identity/transfer_ownership", {"INITIATOR_ID": "", "USER_ID": "", "PROJECT_ID": ""})
PARAMETERS = (
    "INITIATOR_ID={{ traits.initiator_id }}&USER_ID={{ traits.user_id }}"
    "&PROJECT_ID={{ traits.project_id }}"
)


def _user_deleted() -> tuple[bytes, dict[str, Any]]:
    """A captured notification of a user's end by somebody in a project, and its initiator."""
    for message in captured("keystone-cadf"):
        told = json.loads(json.loads(message.body)["oslo.message"])
        initiator = told["payload"].get("initiator", {})
        if told["event_type"] == "identity.user.deleted" and "project_id" in initiator:
            return message.body, initiator
    raise AssertionError("no such notification was captured")


@pytest.mark.parametrize("credentials", [API_TOKEN, PASSWORD.replace(" ", "%20")])
def test_a_job_runs_with_what_keystone_told_of(
    credentials: str, sqlite_url: str, tmp_path: Path
) -> None:
    environment = {"TOCSIN_DATABASE_URL": sqlite_url, "TOCSIN_HTTP_PORT": "0"}
    body, initiator = _user_deleted()
    with Jenkins(JOB) as jenkins, SqlStore.open(DatabaseSettings(url=sqlite_url)) as store:
        root = jenkins.root.replace("http://", f"jenkins://{USER}:{credentials}@")
        tocsin("alarm", "create", "--name", "user deleted", "--event-type",
               "identity.user.deleted", "--alarm-action", f"{root}/{JOB.name}?{PARAMETERS}",
               environment=environment)  # fmt: skip
        with TocsinProcess("run", environment=environment, log_path=tmp_path / "run.log") as run:
            _post(run.wait_for_log("http.listening")["port"], body)
            eventually(lambda: jenkins.items, "the job is triggered")
            (item,) = jenkins.items
            jenkins.finish(item)
            eventually(lambda: store.deliveries(state="delivered"), "its end is seen")
            assert run.terminate() == 0

    assert item.parameters == {
        "INITIATOR_ID": initiator["id"],
        "USER_ID": initiator["user_id"],
        "PROJECT_ID": initiator["project_id"],
    }
    _assert_recorded(_delivery(environment), item, jenkins)
    assert credentials not in (tmp_path / "run.log").read_text()


def _post(port: int, body: bytes) -> None:
    url = f"http://127.0.0.1:{port}/v1/events"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.status == 202


def _delivery(environment: dict[str, str]) -> dict[str, Any]:
    (listed,) = json.loads(tocsin("delivery", "list", "-f", "json", environment=environment))
    shown: dict[str, Any] = json.loads(
        tocsin("delivery", "show", listed["delivery_id"], "-f", "json", environment=environment)
    )
    return shown


def _assert_recorded(delivery: dict[str, Any], item: Item, jenkins: Jenkins) -> None:
    progress, attempts = delivery["progress"], delivery["attempts"]
    assert (progress["build"], progress["result"]) == (item.build, "SUCCESS")
    assert progress["url"] == f"{jenkins.root}/job/identity/job/transfer_ownership/{item.build}/"
    assert attempts[0]["outcome"] == "in-progress"
    assert attempts[-1]["outcome"] == "delivered"
    assert attempts[-1]["note"] == f"build {item.build} of {JOB.name} ended as SUCCESS"
    assert "***" in delivery["action"]
