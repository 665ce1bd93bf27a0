"""Kinds of notifications: their contracts, those that Tocsin has, and those in people's files."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.errors import ConfigError, InvalidValue, NotFound
from pipeline.kinds import BUILTIN, TYPES, Field, Kind, Kinds, Policy, check, kinds_in
from pipeline.severity import WORDS

from any_message import JSON as ANY_JSON
from builders import a_notification

BACKUP = Kind(
    "backup-verify",
    fields={
        "host": Field(description="Where it ran."),
        "size": Field("bytes", required=False),
        "count": Field("integer", required=False),
    },
)


def registered(text: str) -> Kinds:
    return kinds_in(yaml_source.load(dedent(text), "kinds.yaml"))


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        registered(text)
    return [str(problem) for problem in caught.value.problems]


# --- contracts -------------------------------------------------------------------------------


def test_fields_that_keep_to_the_contract_have_no_problem() -> None:
    assert check({"host": "a", "size": 12}, BACKUP) == []


def test_all_problems_are_told_at_once() -> None:
    assert check({"size": "big", "hots": "a"}, BACKUP) == [
        "host: is missing; backup-verify needs it. It is where it ran.",
        "size: expects a number of bytes, or a text like 12GiB, not 'big'.",
        "hots: backup-verify has no such field; it has host, size, count. Did you mean 'host'?",
    ]


def test_a_kind_may_let_other_fields_come_along() -> None:
    assert check({"text": "hello", "host": ["any", "value"]}, kinds_in(None).find("message")) == []


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("text", "12", "12"),
        ("integer", "12", 12),
        ("number", "1.5", 1.5),
        ("boolean", "yes", True),
        ("time", "2026-03-01T22:00:00Z", "2026-03-01T22:00:00Z"),
        ("time", "1772402400", 1772402400),
        ("duration", "90", 90),
        ("duration", "1h 30m", 5400),
        ("duration", "2d", 172_800),
        ("duration", "1.5h", 5400),
        ("bytes", "512", 512),
        ("bytes", "12GiB", 12 * 2**30),
        ("bytes", "1.5 MB", 1_500_000),
        ("bytes", "4k", 4_000),
        ("bytes", "10 B", 10),
        ("list", "a, b", ["a", "b"]),
        ("list", '["a", {"b": 1}]', ["a", {"b": 1}]),
        ("object", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_typed_text_is_read_as_its_field_s_type(type: str, text: str, value: Any) -> None:
    kind = Kind("any", fields={"field": Field(type)})

    assert kind.read({"field": text}) == {"field": value}


@pytest.mark.parametrize(
    ("type", "text"),
    [
        ("integer", "1.5"),
        ("integer", "9" * 5_000),
        ("number", "nan"),
        ("boolean", "perhaps"),
        ("time", "tomorrow"),
        ("duration", "3 fortnights"),
        ("duration", "h"),
        ("bytes", "12 apples"),
        ("list", "[1"),
        ("object", "[1]"),
        ("object", "[" * 100_000),
    ],
)
def test_a_text_that_is_not_of_the_type_is_refused(type: str, text: str) -> None:
    kind = Kind("any", fields={"field": Field(type)})

    with pytest.raises(InvalidValue, match="field: expects"):
        kind.read({"field": text})


def test_an_unread_field_is_not_called_missing_as_well() -> None:
    kind = Kind("any", fields={"count": Field("integer"), "host": Field()})

    with pytest.raises(InvalidValue) as caught:
        kind.read({"count": "many"})

    assert str(caught.value) == (
        "count: expects a whole number, not 'many'. host: is missing; any needs it."
    )


@given(st.dictionaries(st.sampled_from(["host", "size", "count", "other"]), ANY_JSON))
def test_any_fields_can_be_checked(fields: dict[str, Any]) -> None:
    assert all(isinstance(problem, str) for problem in check(fields, BACKUP))


@given(st.sampled_from(sorted(TYPES)), st.text())
def test_what_is_read_of_a_text_fits_its_type(type: str, text: str) -> None:
    kind = Kind("any", fields={"field": Field(type)})

    try:
        values = kind.read({"field": text})
    except InvalidValue:
        return
    assert check(values, kind) == []


# --- those that Tocsin has -------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUILTIN, ids=lambda kind: kind.id)
def test_every_kind_s_example_keeps_to_its_contract(kind: Kind) -> None:
    assert check(kind.example_fields, kind) == []
    assert kind.severity in WORDS
    assert kind.description
    assert all(field.description for field in kind.fields.values())


def test_an_alarm_s_notification_keeps_to_the_contract_of_its_kind() -> None:
    told = a_notification()

    assert check(told.fields, kinds_in(None).find(told.kind)) == []


def test_noisy_kinds_are_off_by_default() -> None:
    off = {kind.id for kind in BUILTIN if kind.policy is Policy.NEVER}

    assert off == {"target-recovered", "dead-letter", "package-updates"}


@pytest.mark.parametrize(
    ("policy", "through"),
    [
        (Policy.ALWAYS, set(WORDS)),
        (Policy.AUTO, {"error", "critical"}),
        (Policy.NEVER, set()),
    ],
)
def test_a_policy_lets_through_by_severity(policy: Policy, through: set[str]) -> None:
    assert {word for word in WORDS if policy.lets_through(word)} == through


def test_an_unknown_kind_is_not_found_but_told_all_the_same() -> None:
    kinds = kinds_in(None)

    with pytest.raises(NotFound, match=r"Kind mesage not found.*Did you mean 'message'"):
        kinds.find("mesage")
    assert kinds.of("gone").policy is Policy.ALWAYS
    assert check({"any": 1}, kinds.of("gone")) == []


# --- people's files --------------------------------------------------------------------------


def test_people_register_kinds_of_their_own() -> None:
    kinds = registered("""\
        kinds:
          - id: backup-verify
            description: A backup was read back.
            severity: Notice
            policy: never
            target: mail-admins
            template: backup
            extra_fields: true
            fields:
              host: text
              size: {type: bytes, required: false, description: How much was read.}
            title: "{{ fields.host }}: verified"
            body: "All is well."
        """)

    assert kinds.find("backup-verify") == Kind(
        "backup-verify",
        "A backup was read back.",
        "notice",
        Policy.NEVER,
        {"host": Field(), "size": Field("bytes", False, "How much was read.")},
        "backup",
        "{{ fields.host }}: verified",
        "All is well.",
        "mail-admins",
        True,
    )
    assert kinds.find("backup-verify").template_name == "backup"
    assert len(list(kinds)) == len(BUILTIN) + 1


def test_a_builtin_kind_is_turned_on_with_its_contract_kept() -> None:
    kind = registered("kinds: [{id: package-updates, policy: always, severity: low}]").find(
        "package-updates"
    )

    assert (kind.policy, kind.severity, kind.builtin) == (Policy.ALWAYS, "low", True)
    assert check({"host": "a", "updates": ["b"]}, kind) == []


def test_all_problems_of_a_file_are_told_with_their_places() -> None:
    text = """\
        kinds:
          - id: Mine!
            severity: awful
            policy: sometimes
          - id: mine
            fields: {"a b": text, size: byte, host: {typ: text}}
          - id: mine
            titel: x
          - id: test
            fields: {}
          - {}
        """
    assert problems_of(text) == [
        "kinds.yaml:2:9 kinds[0].id: is not an id. Use 2 to 64 of a-z, 0-9, - and _, a letter or"
        " digit first.",
        "kinds.yaml:3:15 kinds[0].severity: unknown severity 'awful'. Use one of info, notice,"
        " low, warning, moderate, error, critical, unknown.",
        "kinds.yaml:4:13 kinds[0].policy: unknown policy 'sometimes'. Use one of always, auto,"
        " never.",
        "kinds.yaml:6:21 kinds[1].fields.a b: 'a b' is not a name. Use letters, digits and _.",
        "kinds.yaml:6:33 kinds[1].fields.size: unknown type 'byte'. Use one of text,"
        " integer, number, boolean, time, duration, bytes, list, object. Did you mean 'bytes'?",
        "kinds.yaml:6:51 kinds[1].fields.host.typ: Unknown attribute: typ. Did you mean 'type'?",
        "kinds.yaml:7:9 kinds[2].id: the kind 'mine' stands at line 5 already."
        " Make one of the two.",
        "kinds.yaml:8:12 kinds[2].titel: Unknown attribute: titel. Did you mean 'title'?",
        "kinds.yaml:10:5 kinds[3].fields: is fixed for test, which Tocsin comes with."
        " Take it out.",
        "kinds.yaml:11:5 kinds[4].id: is missing. Give the kind an id.",
    ]


@pytest.mark.parametrize("text", ["[1]", "kinds: {}", "kinds: [1]", "kinds: text", "- id: a"])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    assert problems_of(text)


def test_an_empty_file_registers_nothing() -> None:
    assert [kind.id for kind in registered("")] == [kind.id for kind in BUILTIN]


@given(ANY_JSON)
def test_any_document_is_loaded_or_refused(value: Any) -> None:
    with suppress(ConfigError):
        kinds_in(yaml_source.Document("kinds.yaml", {"kinds": value}, None))
