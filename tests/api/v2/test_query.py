"""Complex queries for alarms and for their history (alarms 21)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.v2.asking import Aodh, said

ALARMS, HISTORY = "/v2/query/alarms", "/v2/query/alarms/history"


def query(
    aodh: Aodh, asked: Any = None, path: str = ALARMS, role: str = "admin", **more: Any
) -> TestResponse:
    body = {**({} if asked is None else {"filter": json.dumps(asked)}), **more}
    return aodh.post(path, role=role, json=body)


@pytest.fixture(autouse=True)
def _alarms(aodh: Aodh) -> None:
    aodh.made(name="a", severity="critical")
    aodh.made(name="b", enabled=False)
    aodh.made(name="c", project_id="p-2", user_id="u-2")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (None, "abc"),
        ({"=": {"name": "a"}}, "a"),
        ({"AND": [{"=": {"user": "u-1"}}, {"!=": {"name": "a"}}]}, "b"),
        ({"or": [{"=": {"project": "p-2"}}, {"=": {"enabled": False}}]}, "bc"),
        ({"NOT": {"=~": {"name": "^[ab]$"}}}, "c"),
        ({"In": {"name": ["a", "c"]}}, "ac"),
        ({"=>": {"severity": "moderate"}}, "a"),
        ({"<": {"timestamp": "2020-01-01T00:00:00"}}, ""),
    ],
)
def test_a_filter_chooses_alarms(aodh: Aodh, asked: Any, names: str) -> None:
    answer = query(aodh, asked)
    assert answer.status_code == 200
    assert "".join(sorted(alarm["name"] for alarm in answer.json)) == names


def test_an_order_and_a_limit(aodh: Aodh) -> None:
    order = json.dumps([{"severity": "DESC"}, {"name": "desc"}])
    found: Any = query(aodh, orderby=order, limit=2).json
    assert [alarm["name"] for alarm in found] == ["a", "c"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"filter": "{"}, "Filter expression not valid: Expecting property name enclosed in"),
        ({"filter": 5}, "Invalid input for field/attribute filter. Value: '5'. Wrong type."),
        ({"filter": "{}"}, "Filter expression not valid: {} should be non-empty"),
        ({"filter": "[1]"}, "Filter expression not valid: [1] is not valid"),
        ({"filter": '{"=": {"nam": 1}}'}, "Filter expression not valid: no field is called 'nam'"),
        ({"filter": '{"=": {"alarm_actions": "x"}}'}, "Filter expression not valid: no field"),
        ({"filter": '{"and": [{"=": {"name": "a"}}]}'}, "Filter expression not valid: and takes"),
        ({"filter": '{"in": {"type": []}}'}, "Filter expression not valid: [] should be non-empt"),
        ({"filter": '{"=": {"type": null}}'}, "Filter expression not valid: expected a text, a n"),
        ({"filter": '{"=~": {"type": "("}}'}, "Filter expression not valid: no regular express"),
        ({"filter": '{"like": {"name": "a"}}'}, "Filter expression not valid: unknown operator"),
        ({"filter": '{"=": {"timestamp": "x"}}'}, "Failed to parse the timestamp value x"),
        ({"filter": '{"not":' * 200 + "{}" + "}" * 200}, "Filter expression not valid: it has mo"),
        ({"filter": '{"not":' * 20_000}, "Filter expression not valid: it has more than 50 leve"),
        ({"filter": json.dumps({"in": {"type": ["a"] * 501}})}, "Filter expression not valid: it"),
        ({"limit": 0}, "Limit should be positive"),
        ({"limit": "x"}, "Invalid input for field/attribute limit. Value: 'x'."),
        ({"orderby": "["}, "Order-by expression not valid: Expecting value"),
        ({"orderby": "{}"}, "Order-by expression not valid: {} is not of type 'array'"),
        ({"orderby": '[{"nam": "asc"}]'}, "Order-by expression not valid: no field is called"),
        ({"orderby": '[{"name": "up"}]'}, "Order-by expression not valid: up is no direction."),
        ({"bogus": 1}, "Unknown attribute for argument body: bogus"),
        ([], "Invalid input for field/attribute body. Value: '[]'."),
    ],
)
def test_what_is_no_query_is_refused(aodh: Aodh, body: Any, text: str) -> None:
    for path in (ALARMS, HISTORY):
        answer = aodh.post(path, json=body)
        assert answer.status_code == 400
        assert said(answer).startswith(text)


class TestProjects:
    def test_who_is_held_to_a_project_finds_nothing_of_others(self, aodh: Aodh) -> None:
        for asked in (None, {"not": {"=": {"name": "a"}}}, {"=~": {"name": "."}}):
            found: Any = query(aodh, asked, role="reader").json
            assert {alarm["project_id"] for alarm in found} == {"p-1"}
        lines: Any = query(aodh, path=HISTORY, role="reader").json
        assert {line["on_behalf_of"] for line in lines} == {"p-1"}

    @pytest.mark.parametrize(
        ("path", "asked"),
        [
            (ALARMS, {"=": {"project": "p-2"}}),
            (ALARMS, {"or": [{"=": {"name": "a"}}, {"not": {"in": {"project_id": ["p-2"]}}}]}),
            (HISTORY, {"=": {"on_behalf_of": "p-2"}}),
        ],
    )
    def test_who_names_another_is_told_so(self, aodh: Aodh, path: str, asked: Any) -> None:
        answer = query(aodh, asked, path, role="member")
        assert (answer.status_code, said(answer)) == (401, "Not Authorized to access project p-2")


def test_history_of_all_alarms_is_searched(aodh: Aodh) -> None:
    found: Any = query(aodh, {"=": {"type": "creation"}}, HISTORY).json
    assert [json.loads(line["detail"])["name"] for line in found] == ["c", "b", "a"]
    assert [line["user_id"] for line in found] == ["u-1", "u-1", "u-1"]
    of_one: Any = query(aodh, {"=": {"on_behalf_of": "p-2"}}, HISTORY).json
    assert [line["event_id"] for line in of_one] == [found[0]["event_id"]]
    order = json.dumps([{"timestamp": "asc"}])
    assert query(aodh, path=HISTORY, orderby=order, limit=3).json == found[::-1]
