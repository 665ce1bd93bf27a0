"""What people write becomes an entry, and the entry what they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.edits import changed, document, new
from pipeline.dispatch.references import word
from pipeline.errors import InvalidValue
from pipeline.severity import RANKS, WORDS

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{1,31}", fullmatch=True)
lists = st.lists(names, max_size=3, unique=True).map(tuple)
common = {"comment": st.text(max_size=20), "disable": st.booleans()}
options = st.dictionaries(
    st.sampled_from(["server", "from_address", "mailto"]), st.text() | st.lists(st.text())
)
entries = st.one_of(
    st.builds(
        TargetEntry,
        name=names,
        type=st.just("smtp"),
        options=options,
        secrets=st.dictionaries(st.just("token"), st.text(min_size=1)),
        filter=names | st.just(""),
        fallback=names | st.just(""),
        **common,
    ),
    st.builds(GroupEntry, name=names, targets=lists, filter=names | st.just(""), **common),
    st.builds(FilterEntry, name=names, min_severity=st.sampled_from(list(RANKS)), **common),
    st.builds(
        MatcherEntry,
        name=names,
        targets=lists,
        match_field=st.lists(
            st.sampled_from(["exact:a=b,c", "regex:a=^b"]), max_size=2, unique=True
        ).map(tuple),
        match_severity=st.lists(st.sampled_from(WORDS), max_size=2, unique=True).map(tuple),
        match_calendar=st.sampled_from([(), ("mon-fri 9-17",)]),
        mode=st.sampled_from(["all", "any"]),
        invert_match=st.booleans(),
        **common,
    ),
)


def check(type: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """As a type with one secret, `token`, would."""
    if "ulr" in given:
        raise InvalidValue("Unknown attribute: ulr.")
    kept = {name.replace("-", "_"): value for name, value in given.items()}
    secrets = {name: kept.pop(name) for name in ("token",) if name in kept}
    return kept, secrets


@given(entries)
def test_document_of_an_entry_makes_it_again(entry: Any) -> None:
    assert new(word(entry), document(entry), check) == entry


@given(entries)
def test_change_of_nothing_changes_nothing(entry: Any) -> None:
    assert changed(entry, {}, (), check) == entry


@given(entries)
def test_what_is_unset_is_as_it_is_by_default(entry: Any) -> None:
    properties = {"comment", "filter", "match-calendar", "mode", "disable"} & document(
        entry
    ).keys()

    left = changed(entry, {}, properties, check)

    assert document(left) == {k: v for k, v in document(entry).items() if k not in properties}


def test_underscores_are_as_good_as_hyphens_and_one_text_as_a_list() -> None:
    written = {
        "name": "nights",
        "match_field": "exact:host=c1",
        "match_severity": "error,critical",
        "invert_match": True,
        "target": "mail",
    }

    assert new("matcher", written, check) == MatcherEntry(
        "nights",
        ("mail",),
        match_field=("exact:host=c1",),
        match_severity=("error", "critical"),
        invert_match=True,
    )


def test_what_show_prints_can_be_written_back() -> None:
    """With the origin and the digest that it tells."""
    written = {"name": "f1", "min-severity": "error", "origin": "user-created", "digest": "abc"}

    assert new("filter", written, check) == FilterEntry("f1", "error")


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        ("filter", {"name": "f1"}, "filter f1: min-severity: Mandatory field missing."),
        ("filter", {"min-severity": "error"}, "filter: name: Mandatory field missing."),
        ("filter", {"name": "f1", "min-severity": "eror"}, "Did you mean 'error'"),
        ("filter", {"name": "f1", "min-severity": "unknown"}, "nothing is more or less severe"),
        ("group", {"name": "g1", "tagret": ["a"]}, "Unknown attribute: tagret. Did you mean"),
        ("group", {"name": "g1", "target": [1]}, "target: Not a valid string"),
        ("group", {"name": 7}, "name: Not a valid string"),
        ("matcher", {"name": "m1", "mode": "al"}, "unknown mode 'al'.*Did you mean 'all'"),
        ("matcher", {"name": "m1", "disable": "perhaps"}, "disable: Not a valid boolean"),
        ("target", {"name": "t1", "ulr": "x", "type": "aodh"}, "Unknown attribute: ulr"),
        ("target", {"name": "t1"}, "target t1: type: Mandatory field missing"),
        ("traget", {"name": "t1"}, "unknown kind of entry 'traget'.*Did you mean 'target'"),
    ],
)
def test_unfit_document_is_refused_with_what_is_wrong(kind: str, written: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        new(kind, written, check)


def test_target_of_a_type_that_is_not_installed_can_be_disabled() -> None:
    def unknown(type: str, options: Mapping[str, Any]) -> Any:
        raise InvalidValue(f"unknown target {type!r}")

    entry = TargetEntry("t1", "gone", {"url": "x"}, {"token": "***"})

    assert changed(entry, {"disable": True}, (), unknown) == replace(entry, disable=True)
    with pytest.raises(InvalidValue, match="unknown target 'gone'"):
        changed(entry, {"url": "y"}, (), unknown)
