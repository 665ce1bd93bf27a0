"""The client of Aodh, as it is on PyPI, works against a real `tocsin api` (alarms 17 to 30).

Its own functional tests are run, each in a process of its own, as its developers run them. Those
that are left out are named below, each with its reason: what they are about needs a database of
metrics, which Tocsin refuses (alarms 6). What else these would have shown is shown here with
event alarms.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aodhclient.v2.client
import pytest
import requests
from aodhclient.exceptions import Forbidden
from aodhclient.noauth import AodhNoAuthPlugin
from keystoneauth1.session import Session

from pipeline.receiver import Receiver

from builders import an_id
from processes import TocsinProcess, tocsin
from waiting import eventually

pytestmark = pytest.mark.xdist_group("aodhclient")

MODULES = ("test_alarm", "test_alarm_history", "test_capabilities", "test_metrics")
_GNOCCHI = "it makes a rule of type gnocchi_…, and first a resource in Gnocchi"
_PROMETHEUS = "it makes a rule of type prometheus, and first asks Prometheus"
_LEAVES = "the leaves of its composite rule are of type gnocchi_resources_threshold"
LEFT_OUT = {
    "test_alarm.AodhClientTest.test_composite_scenario": _LEAVES,
    "test_alarm.AodhClientTest.test_update_type_event_composite": _LEAVES,
    "test_alarm.AodhClientGnocchiRulesTest.test_gnocchi_resources_threshold_scenario": _GNOCCHI,
    "test_alarm.AodhClientGnocchiRulesTest.test_gnocchi_aggr_by_resources_scenario": _GNOCCHI,
    "test_alarm.AodhClientGnocchiRulesTest.test_gnocchi_aggr_by_metrics_scenario": _GNOCCHI,
    "test_alarm.AodhClientGnocchiRulesTest.test_update_gnresthr_gnaggrresthr": _GNOCCHI,
    "test_alarm.AodhClientGnocchiRulesTest.test_update_gnaggrresthr_gnaggrmetricthr": _GNOCCHI,
    "test_alarm.AodhClientPrometheusRulesTest.test_prometheus_type_scenario": _PROMETHEUS,
    "test_alarm_history.AlarmHistoryTest.test_alarm_history_scenario": (
        "it makes two alarms of type gnocchi_resources_threshold; with event alarms: "
        "test_the_history_scenario_holds_for_event_alarms"
    ),
}
RUN = (
    "test_alarm.AodhClientTest.test_help",
    "test_alarm.AodhClientTest.test_alarm_id_or_name_scenario",
    "test_alarm.AodhClientTest.test_event_scenario",
    "test_alarm.AodhClientTest.test_event_alarm_create_show_query",
    "test_alarm.AodhClientTest.test_set_get_alarm_state",
    "test_alarm_history.AlarmHistoryTest.test_help",
    "test_capabilities.CapabilitiesClientTest.test_capabilities_scenario",
    "test_metrics.MetricsTest.test_metrics_scenario",
)
BIN = Path(sys.executable).parent


class Client:
    """The command `aodh`, and where it asks."""

    def __init__(self, port: int) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            "OS_ADMIN_CLOUD": "",
            "OS_AUTH_TYPE": "aodh-noauth",
            "AODH_USER_ID": "u-1",
            "AODH_PROJECT_ID": "p-1",
            "AODH_ENDPOINT": f"http://127.0.0.1:{port}",
            "AODH_CLIENT_EXEC_DIR": str(BIN),
        }
        self.server = self.environment["AODH_ENDPOINT"]

    def run(self, *line: str) -> subprocess.CompletedProcess[str]:
        """What became of a command."""
        return subprocess.run(
            line,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def aodh(self, line: str) -> str:
        """What `aodh …` prints; it must succeed."""
        endpoint = ("--aodh-endpoint", self.server)
        done = self.run(str(BIN / "aodh"), *endpoint, *shlex.split(line))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, line: str) -> Any:
        """What `aodh … -f json` prints."""
        return json.loads(self.aodh(f"{line} -f json"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, str]]]:
    """The client of a real server, and the environment of commands on its database."""
    path = tmp_path_factory.mktemp("aodhclient")
    environment = {"TOCSIN_DATABASE_URL": f"sqlite:///{path / 'tocsin.sqlite'}"}
    with TocsinProcess(
        *("api", "--auth", "noauth"), environment=environment, log_path=path / "api.log"
    ) as api:
        yield Client(api.wait_for_log("api.listening")["port"]), environment
        assert api.terminate() == 0


@pytest.fixture(scope="module")
def client(served: tuple[Client, dict[str, str]]) -> Client:
    return served[0]


def test_every_functional_test_of_the_client_is_run_or_left_out_for_a_reason() -> None:
    prefix = "aodhclient.tests.functional."
    suite = unittest.defaultTestLoader.loadTestsFromNames([prefix + each for each in MODULES])
    there = {test.id().removeprefix(prefix) for test in _flat(suite)}
    assert there == {*RUN, *LEFT_OUT}


@pytest.mark.parametrize("name", RUN)
def test_functional_test_of_the_client_passes(client: Client, name: str) -> None:
    test = f"aodhclient.tests.functional.{name}"
    done = client.run(sys.executable, "-m", "testtools.run", test)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 1 test" in done.stdout


def test_the_history_scenario_holds_for_event_alarms(client: Client) -> None:
    one, two = (
        client.json(f"alarm create --type event --name {name} --project-id p-7")["alarm_id"]
        for name in ("history1", "history2")
    )
    client.aodh(f"alarm update {one} --severity critical")
    shown = client.json(f"alarm-history show {one}")
    assert [line["type"] for line in shown] == ["rule change", "creation"]
    assert json.loads(shown[1]["detail"])["name"] == "history1"
    assert client.json(f"alarm-history show {one} --limit 1") == shown[:1]
    assert client.json(f"alarm-history show {one} --sort timestamp:asc") == shown[::-1]
    marker = f"--marker {shown[0]['event_id']}"
    assert client.json(f"alarm-history show {one} {marker}") == shown[1:]
    everything = {line["alarm_id"] for line in client.json("alarm-history search")}
    assert {one, two} <= everything
    found = client.json(f"alarm-history search --query alarm_id={two}")
    assert [(line["alarm_id"], line["type"]) for line in found] == [(two, "creation")]


def test_quotas_are_set_and_shown(served: tuple[Client, dict[str, str]]) -> None:
    """As its plugin of the client `openstack` does; the command `aodh` has none for them."""
    client, environment = served
    auth = AodhNoAuthPlugin("u-1", "p-1", "admin", client.server)
    api = aodhclient.v2.client.Client(session=Session(auth=auth))
    assert api.quota.list("p-8")["quotas"] == [{"resource": "alarms", "limit": -1}]
    made = api.quota.create("p-8", [{"resource": "alarms", "limit": 0}])
    assert made == api.quota.list("p-8")
    shown = tocsin("alarm", "quota", "show", "--project", "p-8", environment=environment)
    assert "| alarms | 0     |" in shown
    with pytest.raises(Forbidden, match="Alarm quota exceeded for user u-1 on project p-8"):
        api.alarm.create({"name": "a", "type": "event", "event_rule": {}, "project_id": "p-8"})


SEED = (
    "alarm create --name {name} --type event --event-type identity.user.deleted --description "
    "'tell who is gone' --severity moderate --enabled True --repeat-actions True "
    "--query 'traits.resource_id=string::u-42' "
    "--time-constraint 'name=day;start=0 0 * * *;duration=86400' "
    "--alarm-action {hook} --project-id '{project}' --user-id u-1"
)


def test_the_client_makes_the_alarm_of_the_seed_and_its_callback_comes(tmp_path: Path) -> None:
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.sqlite'}",
        "TOCSIN_API_AUTH": "noauth",
        "TOCSIN_HTTP_PORT": "0",
    }
    log = tmp_path / "run.log"
    with (
        Receiver() as receiver,
        TocsinProcess("run", environment=environment, log_path=log) as run,
    ):
        client = Client(run.wait_for_log("api.listening")["port"])
        events = f"http://127.0.0.1:{run.wait_for_log('http.listening')['port']}/v1/events"
        # Keystone's notifications of users belong to no project: neither does the alarm.
        line = SEED.format(name="seed", hook=receiver.url, project="")
        alarm_id = client.json(line)["alarm_id"]

        def told() -> bool:
            # A new alarm is in force within a second (alarms 13).
            assert requests.post(events, json=user_deleted(), timeout=10).status_code == 202
            return bool(receiver.callbacks)

        eventually(told, "the alarm is in force, and tells")
        callback = receiver.callbacks[0].json()
        assert (callback["alarm_id"], callback["alarm_name"]) == (alarm_id, "seed")
        assert (callback["current"], callback["severity"]) == ("alarm", "moderate")
        assert client.json(f"alarm state get {alarm_id}") == {"state": "alarm"}
        types = [line["type"] for line in client.json(f"alarm-history show {alarm_id}")]
        assert {*types[:-1], types[-1]} == {"state transition", "creation"}
        assert run.terminate() == 0


def user_deleted() -> dict[str, Any]:
    """A notification of Keystone's, as oslo.messaging brings it."""
    return {
        "message_id": an_id(),
        "publisher_id": "identity.keystone",
        "event_type": "identity.user.deleted",
        "priority": "INFO",
        "payload": {"resource_info": "u-42"},
        "timestamp": "2026-01-02 12:00:00.000000",
    }


def test_the_same_command_of_ours_prints_the_same(
    served: tuple[Client, dict[str, str]],
) -> None:
    """alarms 26 to 30: but for what is another alarm's."""
    client, environment = served
    of_each = ("alarm_id", "timestamp", "state_timestamp")
    line = SEED.format(name="same", hook="https://receiver.example/hook", project="p-1")
    theirs = client.json(line)
    ours = json.loads(tocsin(*shlex.split(line), "-f", "json", environment=environment))
    assert set(ours) == set(theirs)
    assert {name: ours[name] for name in ours if name not in of_each} == {
        name: theirs[name] for name in theirs if name not in of_each
    }
    alarm_id = theirs["alarm_id"]
    for same in (
        f"alarm list --query alarm_id={alarm_id} -f table",
        "alarm list --filter all_projects=true --sort name:asc -f csv",
        f"alarm state get {alarm_id} -f table",
        f"alarm-history show {alarm_id} -f table",
        f"alarm-history search --query alarm_id={alarm_id} -f value",
        "capabilities list -f json",
    ):
        assert tocsin(*shlex.split(same), environment=environment) == client.aodh(same)


def _flat(suite: Any) -> Iterator[Any]:
    if isinstance(suite, unittest.TestSuite):
        for each in suite:
            yield from _flat(each)
    else:
        yield suite
