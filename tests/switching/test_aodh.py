"""Alarms of an Aodh are brought over with their ids and states, and again without harm."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.alarms.alarm import Severity, State
from pipeline.cli.imports import import_
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.switching import aodh

from builders import NOON
from cli.application import At, Tocsin
from ports import lasting_port
from switching.aodh_server import an_alarm, real, recorded

PYTHON = os.environ.get("TOCSIN_TEST_AODH_PYTHON")
PROMETHEUS = {"query": "up", "threshold": 1.0, "comparison_operator": "gt"}
Serve = Callable[[list[dict[str, Any]]], str]
ADMIN = ("--header", "X-Roles: admin", "--header", "X-User-Id: u1")


@pytest.fixture(
    params=[
        "recorded",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(
                not PYTHON, reason="TOCSIN_TEST_AODH_PYTHON names no environment with aodh"
            ),
        ),
    ]
)
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as open:
        if request.param == "recorded":
            yield lambda alarms: open.enter_context(recorded(alarms))
        else:
            yield lambda alarms: open.enter_context(real(str(PYTHON), tmp_path, alarms))


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, import_, at=at)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    with SqlStore.open(DatabaseSettings(url=sqlite_url), clock=lambda: NOON) as store:
        yield store


def test_alarms_of_all_projects_are_brought_over_page_by_page(
    tocsin: Tocsin, store: SqlStore, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aodh, "_PAGE", 2)
    constraint = {"name": "n", "start": "0 22 * * *", "duration": 60, "timezone": "Europe/Vienna"}
    query = [{"field": "traits.x", "op": "eq", "value": "5", "type": "integer"}]
    url = serve(
        [
            an_alarm(1, "p1", time_constraints=[constraint]),
            an_alarm(2, "p2", state="alarm", severity="critical", enabled=False),
            an_alarm(3, "p2", type="prometheus", prometheus_rule=PROMETHEUS)
            | {"event_rule": None},
            an_alarm(4, "p1", event_rule={"event_type": "a.*", "query": query}),
            an_alarm(5, "p1", name="alarm 4"),
        ]
    )

    result = tocsin.run("import", "aodh", "--url", url, *ADMIN)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("4 created, 0 changed, 0 deleted, 0 unchanged.\n")
    assert "type prometheus needs a metrics database" in result.stderr
    assert "geheim" not in result.output
    found = {alarm.name: alarm for alarm in store.search()}
    second = found["alarm 2"]
    assert (second.state, second.severity, second.enabled, second.project_id) == (
        State.ALARM,
        Severity.CRITICAL,
        False,
        "p2",
    )
    assert not second.all_projects
    assert second.alarm_actions == ("http://u:geheim@h.example/x",)
    assert found["alarm 1"].time_constraints[0].timezone == "Europe/Vienna"


def test_second_import_keeps_states_and_takes_over_changes(
    tocsin: Tocsin, store: SqlStore
) -> None:
    alarms = [an_alarm(1, "p1"), an_alarm(2, "p1")]
    with recorded(alarms) as url:
        tocsin("import", "aodh", "--url", url, *ADMIN)
        store.set_state(alarms[0]["alarm_id"], State.ALARM, NOON)
        assert tocsin("import", "aodh", "--url", url, *ADMIN).startswith("0 created, 0 changed")
        alarms[0]["severity"] = "moderate"

        shown = tocsin("import", "aodh", "--url", url, *ADMIN)

    assert shown.endswith("0 created, 1 changed, 0 deleted, 1 unchanged.\n")
    after = store.get(alarms[0]["alarm_id"])
    assert (after.state, after.severity) == (State.ALARM, Severity.MODERATE)


def test_what_only_aodh_can_carry_out_is_listed(tocsin: Tocsin, store: SqlStore) -> None:
    trust = ["trust+http://trust-id:delete@h/x", "log://"]
    strange = an_alarm(2, "p1", ok_actions=["gopher://h/"])
    with recorded([an_alarm(1, "p1", ok_actions=trust), strange]) as url:
        result = tocsin.run("import", "aodh", "--url", url, *ADMIN)

    assert "alarm 'alarm 1'" in result.stderr
    assert "its trusts were given to Aodh's own user" in result.stderr
    assert "trust-id" not in result.output
    assert "alarm 'alarm 2'" in result.stderr
    (made,) = store.search()
    assert made.ok_actions == ("log://",)


def test_token_of_keystone_is_asked_for(tocsin: Tocsin, store: SqlStore) -> None:
    who = ["--os-username", "admin", "--os-project-name", "admin", "--os-password"]
    with recorded([an_alarm(1, "p1")]) as url:
        login = ["--os-auth-url", f"{url}/v3", *who]
        assert "1 created" in tocsin("import", "aodh", "--url", url, *login, "geheim")
        said = tocsin.fails("import", "aodh", "--url", url, *login, "falsch-geheim")

    assert "/v3/auth/tokens answered 401" in said
    assert "falsch-geheim" not in said


def test_who_may_not_see_all_projects_is_told_what_to_give(tocsin: Tocsin) -> None:
    with recorded([]) as url:
        said = tocsin.fails("import", "aodh", "--url", url)

    assert "answered 403. Give --os-token" in said


def test_login_that_lacks_something_is_told(tocsin: Tocsin) -> None:
    said = tocsin.fails("import", "aodh", "--url", "http://h", "--os-auth-url", "http://k", code=2)

    assert "--os-username is missing" in said


def test_address_that_does_not_answer_is_told(tocsin: Tocsin) -> None:
    url = f"http://127.0.0.1:{lasting_port()}"

    said = tocsin.fails("import", "aodh", "--url", url)

    assert f"{url}/v2/alarms cannot be reached. Is the address right" in said
    assert "HTTPConnectionPool" not in said


def test_address_that_says_nothing_is_told(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aodh, "_TIMEOUT_SECONDS", (0.1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = tocsin.fails("import", "aodh", "--url", url)

    assert f"{url}/v2/alarms did not answer in time" in said


def test_a_composite_alarm_of_metrics_is_listed_with_what_it_needs(
    tocsin: Tocsin, store: SqlStore
) -> None:
    """alarms 5, 6: all that Aodh has in composite alarms needs a metrics database."""
    threshold = {"type": "gnocchi_resources_threshold", "metric": "cpu_util", "threshold": 0.8}
    rule = {"or": [threshold, {"and": [threshold]}]}
    alarm = an_alarm(1, "p1", type="composite", composite_rule=rule) | {"event_rule": None}
    with recorded([alarm]) as url:
        result = tocsin.run("import", "aodh", "--url", url, *ADMIN)
    assert result.exit_code == 0, result.stderr
    assert store.counts().alarms == 0
    needs = "Rules of type gnocchi_resources_threshold need a metrics database."
    assert f"not carried over: {needs}" in result.stderr
