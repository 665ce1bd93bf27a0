"""event_definitions.yaml: the whole grammar, and what is said of a file that breaks it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.event import TraitType
from pipeline.normalise import Normaliser
from pipeline.normalise.definitions import _REMEMBERED_TYPES

from messages import a_notification, definitions, event_of, opened, traits, v2


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        definitions(text)
    return [str(problem) for problem in caught.value.problems]


def covering(text: str, event_type: str) -> str | None:
    """The value of the trait `which` that an event of this type gets."""
    value = event_of(v2(event_type=event_type), Normaliser(definitions(text))).values.get("which")
    return None if value is None else str(value)


# --- which definition ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("globs", "yes", "no"),
    [
        ("image.create", ["image.create"], ["image.creates", "image", "x.image.create"]),
        ("'compute.instance.*'", ["compute.instance.create.start"], ["compute.instance"]),
        ("[image.create, image.delete]", ["image.create", "image.delete"], ["image.update"]),
        ("['*.start', '*.end', '!scheduler.*']", ["a.start", "b.end"], ["scheduler.start", "a"]),
        ("'!image.*'", ["volume.create", ""], ["image.create"]),
        ("['!a.*', '!b.*']", ["c.d"], ["a.x", "b.x"]),
        ("['*', '!image.*']", ["volume.create"], ["image.create"]),
        ("'a.[xy].?'", ["a.x.1", "a.y.2"], ["a.z.1", "a.x.10"]),
        ("[]", [], ["a"]),
        ("'identity.OS-TRUST:trust.*'", ["identity.OS-TRUST:trust.created"], ["identity.trust"]),
    ],
)
def test_globs_say_which_events(globs: str, yes: list[str], no: list[str]) -> None:
    """events-in 12"""
    text = f"- {{event_type: {globs}, traits: {{which: 1}}}}"
    assert [t for t in yes + no if covering(text, t) == "1"] == yes


def test_the_last_definition_that_matches_wins_alone() -> None:
    """events-in 13"""
    text = """
- {event_type: '*', traits: {which: 1, first: 1}}
- {event_type: 'a.*', traits: {which: 2}}
- {event_type: 'a.b', traits: {which: 3}}
- {event_type: 'x.*', traits: {which: 4}}
"""
    assert [covering(text, t) for t in ("a.b", "a.c", "z", "x.y")] == ["3", "2", "1", "4"]
    assert "first" not in event_of(v2(event_type="a.c"), Normaliser(definitions(text))).values


def test_merge_keys_take_over_and_may_be_overridden() -> None:
    """events-in 11"""
    text = """
- event_type: a
  traits: &base
    x: payload.x
    y: payload.y
- event_type: b
  traits:
    <<: *base
    y: 7
"""
    event = event_of(v2(event_type="b", payload={"x": 1, "y": 2}), Normaliser(definitions(text)))
    assert (event.values["x"], event.values["y"]) == ("1", "7")


def test_what_no_definition_matches_gets_the_default_traits() -> None:
    """events-in 20"""
    normaliser = Normaliser(definitions("[]"))
    event = event_of(v2(payload={"tenant_id": "t", "user_id": "u"}), normaliser)
    assert event.values == {
        "service": "identity.keystone-1",
        "project_id": "t",
        "user_id": "u",
        "tenant_id": "t",
        "priority": "info",
    }
    assert normaliser.dropped == 0


def test_what_no_definition_matches_is_dropped_and_counted_on_demand() -> None:
    """events-in 20"""
    text = "- {event_type: 'a.*', traits: {}}"
    normaliser = Normaliser(definitions(text), drop_unmatched=True)
    assert normaliser.normalise(opened(v2())) is None
    assert normaliser.normalise(opened(v2(event_type="a.b"))) is not None
    assert normaliser.dropped == 1


def test_the_memory_of_event_types_is_bounded() -> None:
    known = definitions("- {event_type: 'a.*', traits: {}}")
    for number in range(_REMEMBERED_TYPES + 10):
        known.find(f"a.{number}")
    assert len(known._found) <= _REMEMBERED_TYPES


# --- traits --------------------------------------------------------------------------------------


def test_default_traits_can_be_overridden() -> None:
    """events-in 18, 22"""
    normaliser = Normaliser(
        definitions("- {event_type: '*', traits: {service: 1, priority: payload.p}}")
    )
    changes = {"_context_project_id": "cp", "_context_user_id": "cu", "_context_request_id": "r"}
    values = event_of(v2(payload={"p": "mine"}, **changes), normaliser).values
    assert values == {
        "service": "1",
        "request_id": "r",
        "project_id": "cp",
        "user_id": "cu",
        "tenant_id": "cp",
        "priority": "mine",
    }


def test_a_trait_may_be_short() -> None:
    """events-in 14"""
    found = traits(
        """
path: payload.x
list: [payload.nothing, payload.x]
one: [payload.x]
constant: 7
constant_list: [7]
number: {fields: 7, type: float}
""",
        payload={"x": "v"},
    )
    assert found == {
        "path": "v",
        "list": "v",
        "one": "v",
        "constant": "7",
        "constant_list": "7",
        "number": 7.0,
    }


@pytest.mark.parametrize(
    ("kind", "value", "trait"),
    [
        ("text", "a", "a"),
        ("text", "", ""),
        ("text", 7, "7"),
        ("text", True, "True"),
        ("text", 10**30, "1" + "0" * 30),
        ("text", {"a": [1, None]}, "{'a': [1, None]}"),
        ("text", [], "[]"),
        ("text", None, None),
        ("TEXT", "a", "a"),
        ("int", "7", 7),
        ("int", 7.9, 7),
        ("int", True, 1),
        ("int", "", None),
        ("int", "7.5", None),
        ("int", [7], None),
        ("int", float("inf"), None),
        ("int", 2**63, 2**63),
        ("float", "7.5", 7.5),
        ("float", 7, 7.0),
        ("float", "", None),
        ("float", "nan", None),
        ("float", float("inf"), None),
        ("float", 10**400, None),
        ("datetime", "2026-11-21T12:00:00+02:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("datetime", "2026-11-21 12:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("datetime", "", None),
        ("datetime", "2014-05-1510: 24", None),
        ("datetime", 7, None),
        ("datetime", {"a": 1}, None),
    ],
)
def test_types_convert(kind: str, value: Any, trait: Any) -> None:
    """events-in 17"""
    found = traits(f"t: {{fields: payload.x, type: {kind}}}", payload={"x": value})
    assert found == ({} if trait is None else {"t": trait})


def test_what_does_not_convert_is_counted() -> None:
    """events-in 24"""
    normaliser = Normaliser(
        definitions("- {event_type: '*', traits: {n: {fields: payload.n, type: int}}}")
    )
    for value in ("x", "y", "", None, 7):
        event_of(v2(payload={"n": value}), normaliser)
    assert normaliser.unconvertible == {"n": 2}


def test_types_and_values_have_the_same_traits_in_the_same_order() -> None:
    normaliser = Normaliser(
        definitions(
            "- {event_type: '*', traits: {n: {fields: payload.n, type: int}, t: payload.t}}"
        )
    )
    for payload in ({"n": 1, "t": "a"}, {"t": "a"}, {"n": 2}, {}):
        event = event_of(v2(payload=payload), normaliser)
        assert list(event.values) == list(event.types)
        assert event.types.get("n", TraitType.INT) is TraitType.INT


def test_text_is_cut_only_on_demand() -> None:
    """events-in 17"""
    text = "- {event_type: '*', traits: {a: payload.a, b: payload.b, c: 'payload.*'}}"
    payload = {"a": "x" * 300, "b": ["y" * 300]}
    whole = event_of(v2(payload=payload), Normaliser(definitions(text))).values
    cut = event_of(v2(payload=payload), Normaliser(definitions(text, text_limit=255))).values
    assert len(str(whole["a"])) == 300
    assert {name: len(str(cut[name])) for name in "abc"} == {"a": 255, "b": 255, "c": 255}


def test_raw_is_kept_for_the_priorities_that_are_named() -> None:
    """events-in 21"""
    normaliser = Normaliser(definitions("[]"), store_raw=["error"])
    assert event_of(v2(), normaliser).raw == {}
    raw = event_of(v2(priority="ERROR"), normaliser).raw
    assert raw["payload"] == a_notification()["payload"]


def test_payloads_of_any_type_are_no_trouble() -> None:
    """events-in 8"""
    for payload in (None, True, 7, "text", [], [[1]], {}, {"x": None}):
        assert traits("t: payload.x.y[0]", payload=payload) == {}


def test_trait_names_are_only_names() -> None:
    name = "x'] = 1; import os #"
    normaliser = Normaliser(
        definitions(f'- {{event_type: "*", traits: {{"{name}": payload.x, 5: payload.x}}}}')
    )
    values = event_of(v2(payload={"x": "v"}), normaliser).values
    assert values[name] == values["5"] == "v"


# --- what is wrong with a file -------------------------------------------------------------------


def test_an_unknown_type_is_told_where_it_is_and_what_was_meant() -> None:
    text = """\
- event_type: compute.instance.*
  traits:
    host:
      type: strng
      fields: payload.host
"""
    assert problems(text) == [
        "event_definitions.yaml:4:13 traits.host.type: unknown type 'strng'. Use one of text, int,"
        " float, datetime. Did you mean 'text'?"
    ]


@pytest.mark.parametrize(
    ("trait", "said"),
    [
        ("{feilds: x}", "traits.t.feilds: unknown key 'feilds'. Did you mean 'fields'?"),
        ("{type: int}", "traits.t.fields: is missing. Name the field"),
        ("{fields: }", "traits.t.fields: is empty. Name the field"),
        ("", "traits.t: is empty. Name the field"),
        ("[]", "traits.t: has no field path."),
        ("1.5", "traits.t: 1.5 is not a field path. Write a text"),
        ("{fields: [payload.x, 7]}", "traits.t.fields[1]: 7 is not a field path."),
        ("'payload.['", "traits.t: 'payload.[' is not a field path: "),
        ("{fields: 5, type: datetime}", "traits.t.fields: the constant 5 is no datetime."),
        ("{fields: x, type: integer}", "Did you mean 'int'?"),
        ("{fields: x, type: 7}", "traits.t.type: unknown type 7. Use one of text, int"),
        (
            "{fields: x, plugin: spilt}",
            "traits.t.plugin: unknown trait plugin 'spilt'. Use one of",
        ),
        ("{fields: x, plugin: [split]}", "traits.t.plugin: ['split'] is not a plugin."),
        ("{fields: x, plugin: {nam: split}}", "traits.t.plugin.nam: unknown key 'nam'."),
        ("{fields: x, plugin: {parameters: {}}}", "traits.t.plugin.name: is missing. Use one of"),
        (
            "{fields: x, plugin: {name: split, parameters: 7}}",
            "traits.t.plugin.parameters: is not",
        ),
        (
            "{fields: x, plugin: {name: split, parameters: {seperator: x}}}",
            "traits.t.plugin.parameters.seperator: unknown key 'seperator'. Did you mean",
        ),
        (
            "{fields: x, plugin: {name: split, parameters: {segment: one}}}",
            "traits.t.plugin.parameters.segment: 'one' is not an integer.",
        ),
        (
            "{fields: x, plugin: {name: split, parameters: {separator: ''}}}",
            "traits.t.plugin.parameters.separator: '' is not a text to split at.",
        ),
        ("{fields: x, plugin: map}", "traits.t.plugin.parameters: needs what each value becomes"),
        (
            "{fields: x, plugin: {name: bitfield, parameters: {flags: [{path: x}]}}}",
            "traits.t.plugin.parameters.flags: {'path': 'x'} is not a flag of {path, bit, value}.",
        ),
    ],
)
def test_a_broken_trait_is_told_how_to_mend_it(trait: str, said: str) -> None:
    found = problems(f"- event_type: x\n  traits:\n    t: {trait}\n")
    assert any(said in problem for problem in found)
    assert all(problem.startswith("event_definitions.yaml:3:") for problem in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1:1: is not a list of definitions."),
        ("{}", ":1:1: is not a list of definitions."),
        ("- 7", ":1:3: is not a definition."),
        ("- {traits: {}}", ":1:3 event_type: is missing. Say which events are meant"),
        ("- {event_type: x}", ":1:3 traits: is missing. Write {} for the default traits alone."),
        ("- {event_type: x, traits: }", "traits: is empty. Write {}"),
        ("- {event_type: x, traits: [a]}", ":1:27 traits: is not a mapping of trait names"),
        ("- {event_type: 7, traits: {}}", ":1:16 event_type: 7 is not a glob."),
        ("- {event_type: [a, 7], traits: {}}", ":1:20 event_type[1]: 7 is not a glob."),
        ("- {event_typ: x, traits: {}}", "event_typ: unknown key 'event_typ'. Did you mean"),
        ("- {event_type: x, traits: {}", "not YAML"),
    ],
)
def test_a_broken_definition_is_told_how_to_mend_it(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text))


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems("""\
- event_type: 7
  traits:
    a: {fields: x, type: strng}
    b: {feilds: x}
- traits: {c: 1.5}
""")
    places = [
        problem.partition(" ")[0].removeprefix("event_definitions.yaml:") for problem in found
    ]
    assert [place.partition(":")[0] for place in places] == ["1", "3", "4", "4", "5", "5"]


def test_keys_that_are_nobodys_are_ignored_as_ceilometer_does() -> None:
    text = "- {event_type: '*', note: mine, traits: {which: {fields: 1, why: because}}}"
    assert covering(text, "a") == "1"
