"""`tocsin event` lists, shows and counts the events in the archive."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pipeline.cli.archive import event
from pipeline.store.sql import SqlStore

from builders import NOON, an_event
from cli.application import At, Tocsin

CREATE, DELETE = "compute.instance.create.end", "compute.instance.delete.end"

SHOWN = """\
+-------------+----------------------------------------------+
| Field       | Value                                        |
+-------------+----------------------------------------------+
| message_id  | aa11                                         |
| event_type  | compute.instance.create.end                  |
| generated   | 2026-01-02T12:00:00Z                         |
| received_at | 2026-01-02T12:00:00Z                         |
| traits      | host (text): compute-1                       |
|             | vcpus (int): 4                               |
|             | launched_at (datetime): 2026-01-02T12:00:00Z |
| raw         |                                              |
+-------------+----------------------------------------------+
"""


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    """Two created instances and, a minute and an hour later, two deleted ones."""
    a = {"host": "compute-1", "vcpus": 4, "launched_at": NOON}
    store.keep_events(
        [
            an_event(message_id="aa11", event_type=CREATE, **a),
            an_event(message_id="bb22", event_type=CREATE, host="compute-2", vcpus=8),
            an_event(message_id="cc33", event_type=DELETE, generated=NOON + timedelta(minutes=1)),
            an_event(
                message_id="dd44",
                event_type=DELETE,
                generated=NOON + timedelta(hours=1),
                host="compute-2",
                raw={"payload": {"reason": "bored"}},
            ),
        ]
    )
    return Tocsin(store, event, at=at)


def listed(tocsin: Tocsin, *arguments: str) -> list[str]:
    return tocsin("event", "list", "-f", "value", "-c", "message_id", *arguments).split()


def test_the_last_generated_is_listed_first(tocsin: Tocsin) -> None:
    assert (
        tocsin("event", "list", "--limit", "3")
        == """\
+------------+-----------------------------+----------------------+-----------------+
| message_id | event_type                  | generated            | traits          |
+------------+-----------------------------+----------------------+-----------------+
| dd44       | compute.instance.delete.end | 2026-01-02T13:00:00Z | host: compute-2 |
| cc33       | compute.instance.delete.end | 2026-01-02T12:01:00Z |                 |
| bb22       | compute.instance.create.end | 2026-01-02T12:00:00Z | host: compute-2 |
|            |                             |                      | vcpus: 8        |
+------------+-----------------------------+----------------------+-----------------+
"""
    )
    assert listed(tocsin, "--limit", "2", "--marker", "cc33") == ["bb22", "aa11"]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (("--type", "*.delete.*"), "dd44 cc33"),
        (("--since", "2026-01-02T12:01:00Z"), "dd44 cc33"),
        (("--until", "2026-01-02T12:01:00Z", "--type", DELETE), "cc33"),
        (("--trait", "host=compute-2"), "dd44 bb22"),
        (("--trait", "host = compute-2", "--trait", "vcpus>4"), "bb22"),
        (("--trait", "traits.host=compute-2;vcpus=integer::8"), "bb22"),
        (("--trait", "vcpus!=8"), "aa11"),
        (("--trait", "vcpus=string::8"), ""),
        (("--trait", "launched_at<=2026-01-02T12:00:00Z"), "aa11"),
        (("--trait", "absent=1"), ""),
    ],
)
def test_events_are_chosen(tocsin: Tocsin, arguments: tuple[str, ...], ids: str) -> None:
    assert listed(tocsin, *arguments) == ids.split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trait", "host"), "--trait: 'host' has no operator, one of != >= <= > < =. Write"),
        (("--trait", "n=number::1"), "--trait: 'n=number::1' has the unknown type 'number'."),
        (("--trait", "n=integer::x"), "Unable to convert the value x to the expected data type"),
        (("--marker", "zz"), "marker: event zz is not in the archive"),
        (("--since", "yesterday"), "'yesterday' is no time. Give 2026-01-02T12:00:00Z, or an age"),
    ],
)
def test_what_makes_no_sense_is_an_error(
    tocsin: Tocsin, arguments: tuple[str, ...], said: str
) -> None:
    assert said in tocsin.fails("event", "list", *arguments, code=2)


def test_one_is_shown_by_the_beginning_of_its_id(tocsin: Tocsin) -> None:
    assert tocsin("event", "show", "aa", "-f", "table") == SHOWN
    shown = json.loads(tocsin("event", "show", "dd44", "-f", "json"))
    assert shown["traits"] == [["host", 1, "compute-2"]]
    assert shown["raw"] == {"payload": {"reason": "bored"}}
    assert tocsin.fails("event", "show", "x") == "Error: Event x is not in the archive\n"


def test_types_are_counted(tocsin: Tocsin) -> None:
    assert (
        tocsin("event", "types")
        == """\
+-----------------------------+--------+----------------------+----------------------+
| event_type                  | events | first                | last                 |
+-----------------------------+--------+----------------------+----------------------+
| compute.instance.create.end |      2 | 2026-01-02T12:00:00Z | 2026-01-02T12:00:00Z |
| compute.instance.delete.end |      2 | 2026-01-02T12:01:00Z | 2026-01-02T13:00:00Z |
+-----------------------------+--------+----------------------+----------------------+
"""
    )
    assert tocsin("event", "types", "*delete*", "--since", "2026-01-02T12:30:00Z", "-f", "value")
    assert tocsin("event", "types", "volume.*") == "\n"


def test_traits_of_a_type_are_listed(tocsin: Tocsin) -> None:
    shown = tocsin("event", "traits", CREATE, "-f", "csv", "--quote", "none").splitlines()

    assert shown == [
        "name,type,events,values,example",
        "host,text,2,2,compute-2",
        "launched_at,datetime,1,1,2026-01-02T12:00:00Z",
        "vcpus,int,2,2,8",
    ]


def test_values_of_a_trait_are_listed_the_most_frequent_first(tocsin: Tocsin) -> None:
    shown = tocsin("event", "traits", "compute.*", "host", "-f", "value")

    assert shown == "compute-2 2\ncompute-1 1\n"


def test_unknown_types_and_traits_are_errors(tocsin: Tocsin) -> None:
    assert "Did you mean 'compute.instance.create.end'?" in tocsin.fails(
        "event", "traits", "compute.instance.crate.end"
    )
    assert tocsin.fails("event", "traits", CREATE, "hots") == (
        f"Error: no {CREATE} has the trait 'hots'. Use one of host, launched_at, vcpus. "
        "Did you mean 'host'?\n"
    )


@pytest.mark.parametrize("command", ["list", "types"])
def test_an_empty_archive_says_how_to_fill_it(store: SqlStore, at: At, command: str) -> None:
    shown = Tocsin(store, event, at=at).run("event", command, "-f", "value")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "Add the publisher store://" in shown.stderr


def test_an_archive_that_is_not_empty_says_nothing_where_nothing_is_found(tocsin: Tocsin) -> None:
    assert listed(tocsin, "--type", "image.*") == []


def test_floats_that_json_cannot_say_are_shown_as_they_are(
    tocsin: Tocsin, store: SqlStore
) -> None:
    floats = {"nothing": float("nan"), "much": float("inf"), "little": float("-inf"), "x": 1.5}
    store.keep_events([an_event(message_id="ee55", event_type="a.b", **floats)])

    shown = json.loads(tocsin("event", "show", "ee55", "-f", "json"))
    assert [repr(value) for _, _, value in shown["traits"]] == ["nan", "inf", "-inf", "1.5"]
    assert "nothing (float): nan" in tocsin("event", "show", "ee55")
    assert tocsin("event", "traits", "a.b", "much", "-f", "value") == "inf 1\n"
    assert "x,float,1,1,1.5" in tocsin("event", "traits", "a.b", "-f", "csv", "--quote", "none")
