"""The server that stands for Jenkins in tests is one to a client that others wrote."""

from __future__ import annotations

from typing import Any

import jenkins as python_jenkins
import pytest
import requests

from delivery.jenkins_server import API_TOKEN, PASSWORD, USER, Jenkins, Job


def _client(server: Jenkins, word: str) -> Any:
    return python_jenkins.Jenkins(server.root, USER, word, timeout=10)


@pytest.mark.parametrize("word", [API_TOKEN, PASSWORD])
@pytest.mark.parametrize("prefix", ["", "/jenkins"])
def test_a_client_starts_a_job_and_follows_it(word: str, prefix: str) -> None:
    """With a password it fetches a crumb and keeps the session."""
    job = Job("ops/transfer", {"USER_ID": "", "PROJECT_ID": "none"})
    with Jenkins(job, prefix=prefix) as server:
        client = _client(server, word)

        number = client.build_job("ops/transfer", {"USER_ID": "u-1", "OTHER": "x"})

        waiting = client.get_queue_item(number)
        server.start(server.items[0])
        left = client.get_queue_item(number)
        running = client.get_build_info("ops/transfer", left["executable"]["number"])
        server.finish(server.items[0], "FAILURE")
        ended = client.get_build_info("ops/transfer", left["executable"]["number"])
    assert server.items[0].parameters == {"USER_ID": "u-1", "PROJECT_ID": "none"}
    assert "executable" not in waiting
    assert (running["building"], running["queueId"]) == (True, number)
    assert (ended["building"], ended["result"]) == (False, "FAILURE")


def test_a_client_hears_of_what_is_wrong() -> None:
    with Jenkins(Job("plain"), Job("off", buildable=False)) as server:
        with pytest.raises(python_jenkins.JenkinsException, match="401"):
            _client(server, "wrong").build_job("plain")
        client = _client(server, API_TOKEN)
        with pytest.raises(python_jenkins.JenkinsException):
            client.build_job("plain", {"A": "1"})
        with pytest.raises(requests.HTTPError, match="409"):
            client.build_job("off")
        with pytest.raises(python_jenkins.JenkinsException):
            client.get_job_info("missing")
        assert client.build_job("plain") == server.items[0].number
