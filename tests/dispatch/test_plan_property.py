"""Whatever people set up, the plan is what looking at all of it gives, and keeps its promises."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.alarms.alarm import Severity
from pipeline.dispatch import Entry, FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.dispatch.builtins import BUILTINS
from pipeline.dispatch.explain import explain
from pipeline.dispatch.facts import Facts
from pipeline.dispatch.plan import plan
from pipeline.dispatch.routing import Routing
from pipeline.notification import Notification
from pipeline.severity import RANKS, WORDS, at_least

from builders import NOON, a_notification, an_occurrence

TARGETS = [f"t{n}" for n in range(4)]
GROUPS = [f"g{n}" for n in range(3)]
FILTERS = [f"f{n}" for n in range(2)]
KINDS = ["backup", "message", "maintenance", "target-recovered", "own"]
VALUES = ["a", "b", "c", ""]

some = st.lists(st.sampled_from(TARGETS), max_size=4).map(tuple)
held = st.sampled_from(["", *FILTERS])
targets = [
    st.builds(TargetEntry, st.just(n), st.just("log"), disable=st.booleans(), filter=held)
    for n in TARGETS
]
groups = [
    st.builds(GroupEntry, st.just(n), some, disable=st.booleans(), filter=held) for n in GROUPS
]
filters = [
    st.builds(FilterEntry, st.just(n), st.sampled_from(list(RANKS)), disable=st.booleans())
    for n in FILTERS
]
field_rules = st.one_of(
    st.builds(
        lambda name, values: f"exact:{name}={','.join(values)}",
        st.sampled_from(["kind", "host", "rack", "disk.name"]),
        st.lists(st.sampled_from([*VALUES, *KINDS]), min_size=1, max_size=3),
    ),
    st.builds(
        lambda name, pattern: f"regex:{name}={pattern}",
        st.sampled_from(["kind", "host"]),
        st.sampled_from(["a", "^$", "[ab]", "("]),
    ),
)
matchers = st.builds(
    MatcherEntry,
    name=st.sampled_from([*(f"m{n}" for n in range(8)), "default-matcher"]),
    targets=st.lists(st.sampled_from(TARGETS + GROUPS), max_size=3).map(tuple),
    match_field=st.lists(field_rules, max_size=3).map(tuple),
    match_severity=st.lists(st.sampled_from(WORDS), max_size=2).map(tuple),
    match_calendar=st.lists(st.sampled_from(["9-17", "sat", "22-6"]), max_size=2).map(tuple),
    mode=st.sampled_from(["all", "any"]),
    invert_match=st.booleans(),
    disable=st.booleans(),
)
entries = st.tuples(
    *targets, *groups, *filters, st.lists(matchers, max_size=8, unique_by=lambda each: each.name)
).map(lambda all: {e.name: e for e in (*BUILTINS.values(), *all[:-1], *all[-1])})
occurrences = st.builds(
    lambda kind, severity, fields: an_occurrence(kind, severity, **fields),
    st.sampled_from(KINDS),
    st.sampled_from(WORDS),
    st.fixed_dictionaries(
        {},
        optional={
            "host": st.sampled_from(VALUES),
            "rack": st.lists(st.sampled_from(VALUES), max_size=2),
            "disk": st.fixed_dictionaries({}, optional={"name": st.sampled_from(VALUES)}),
        },
    ),
)
alarms = st.sampled_from(list(Severity)).map(lambda s: a_notification(severity=s.value))
notifications = st.one_of(occurrences, alarms)
urls = ["https://r.example/", "log://"]
own_actions = st.lists(
    st.sampled_from([*urls, *(f"target:{n}" for n in TARGETS), *(f"group:{n}" for n in GROUPS)]),
    max_size=4,
).map(tuple)


@given(entries, notifications, own_actions)
def test_plan_is_what_looking_at_everything_gives(
    entries: dict[str, Entry], told: Notification, own: tuple[str, ...]
) -> None:
    found = plan(told, own, Routing(entries.values()), NOON)

    assert list(found.actions) == _by_brute_force(entries, told, own)


@given(entries, notifications, own_actions)
def test_no_promise_is_broken(
    entries: dict[str, Entry], told: Notification, own: tuple[str, ...]
) -> None:
    found = plan(told, own, Routing(entries.values()), NOON).actions

    assert len(set(found)) == len(found)
    assert not any(action.startswith("group:") for action in found)
    assert [url for url in found if url in urls] == list(
        dict.fromkeys(u for u in own if u in urls)
    )
    for name in (action.removeprefix("target:") for action in found if action not in urls):
        target: Any = entries[name]
        assert not target.disable
        filter: Any = entries.get(target.filter)
        assert filter is None or filter.disable or at_least(told.severity, filter.min_severity)


@given(entries, notifications)
def test_index_leaves_out_no_matcher_that_takes(
    entries: dict[str, Entry], told: Notification
) -> None:
    routing = Routing(entries.values())
    facts = Facts(told, NOON, routing.zone)

    found = [each.name for each in routing.candidates(facts) if each.takes(facts)]

    assert found == [each.name for each in routing.matchers if each.takes(facts)]


@given(entries, notifications, own_actions)
def test_explanation_agrees_with_the_plan(
    entries: dict[str, Entry], told: Notification, own: tuple[str, ...]
) -> None:
    routing = Routing(entries.values())
    found = explain(told, own, routing, NOON)

    assert tuple(each.name for each in found.targets if each.taken) == found.plan.actions
    assert found.plan == plan(told, own, routing, NOON)
    explained = [each.name.removeprefix("target:") for each in found.targets]
    assert set(explained) >= set(TARGETS)
    assert len(explained) == len(set(explained))
    names = {e.name for e in entries.values() if isinstance(e, MatcherEntry) and not e.disable}
    assert {each.name for each in found.matchers} == names
    assert all(each.reason for each in (*found.targets, *found.matchers))


@given(entries, alarms, own_actions)
def test_short_cut_changes_nothing(
    entries: dict[str, Entry], told: Notification, own: tuple[str, ...]
) -> None:
    routing = Routing(entries.values())
    own = tuple(dict.fromkeys(own))

    if routing.leaves_alone(told.kind, told.severity, own):
        assert plan(told, own, routing, NOON).actions == own


def _by_brute_force(entries: dict[str, Entry], told: Notification, own: Any) -> list[str]:
    """The rules of `pipeline.dispatch.plan`, once more and without any index."""
    routing = Routing(entries.values())
    facts = Facts(told, NOON, routing.zone)
    found: list[str] = []

    def passes(entry: Any) -> bool:
        filter: Any = entries.get(entry.filter)
        if entry.disable:
            return False
        return filter is None or filter.disable or at_least(told.severity, filter.min_severity)

    def send(name: str) -> None:
        entry = entries[name]
        if isinstance(entry, GroupEntry):
            for member in entry.targets if passes(entry) else ():
                send(member)
        elif passes(entry):
            found.append(f"target:{name}")

    for action in own:
        if action in urls:
            found.append(action)
        else:
            send(action.partition(":")[2])
    if routing.kind(told.kind).policy.lets_through(told.severity):
        taking = [each for each in routing.matchers if each.takes(facts)]
        if not taking and not own and routing.default and routing.default.takes(facts):
            taking = [routing.default]
        for matcher in taking:
            for name in matcher.entry.targets:
                send(name)
    return list(dict.fromkeys(found))
