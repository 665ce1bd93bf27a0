"""The alarms in force in a process: changes, quiet alarms, and the races between them."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from typing import Any

from pipeline.alarms.alarm import Alarm, Reference, State, TimeConstraint
from pipeline.alarms.live import LiveAlarms

from builders import a_composite, a_condition, a_rule, all_of, an_alarm, an_event, any_of

EVENT = an_event(event_type="a", x="1")
RULE = a_rule("a", a_condition("traits.x", "1"))
OTHER_RULE = a_rule("a", a_condition("traits.x", "2"))
BROKEN_RULE = a_rule("a", a_condition("traits.x", "hello", type="integer"))


def alarm(alarm_id: str = "one", **changes: Any) -> Alarm:
    return an_alarm(**{"alarm_id": alarm_id, "rule": RULE, "revision": 1, **changes})


def live(*alarms: Alarm, revision: int = 1) -> LiveAlarms:
    it = LiveAlarms()
    it.load(revision, alarms)
    return it


def found(alarms: LiveAlarms) -> list[str]:
    return sorted(alarm_id for alarm_id, _ in alarms.candidates([EVENT]))


def test_candidates_come_in_the_order_of_the_events() -> None:
    first, second, third = (an_event(event_type="a", x=x) for x in ("1", "2", "1"))
    alarms = live(alarm())
    assert alarms.candidates([first, second, third]) == [("one", first), ("one", third)]
    assert alarms.candidates([]) == []


def test_a_change_is_in_force_from_the_next_batch_on() -> None:
    """alarms 13"""
    alarms = live(alarm())
    alarms.apply(2, [alarm("two", revision=2), alarm("one", rule=OTHER_RULE, revision=2)], [])
    assert alarms.revision == 2
    assert found(alarms) == ["two"]
    alarms.apply(3, [], ["two"])
    assert found(alarms) == []
    assert len(alarms) == 1


def test_disabled_alarms_are_not_matched() -> None:
    alarms = live(alarm(), alarm("two", enabled=False))
    assert found(alarms) == ["one"]
    alarms.apply(2, [alarm("one", enabled=False, revision=2)], [])
    assert found(alarms) == []
    alarms.apply(3, [alarm("one", revision=3)], [])
    assert found(alarms) == ["one"]


def test_an_alarm_that_fired_and_does_not_repeat_is_no_candidate() -> None:
    """alarms 11"""
    alarms = live(
        alarm("quiet", state=State.ALARM),
        alarm("repeats", state=State.ALARM, repeat_actions=True),
        alarm("ok", state=State.OK),
    )
    assert found(alarms) == ["ok", "repeats"]


def test_an_alarm_that_settled_is_quiet_until_a_person_sets_it_back() -> None:
    """alarms 11"""
    alarms = live(alarm())
    alarms.settled(alarm(state=State.ALARM, revision=1))
    assert found(alarms) == []
    alarms.apply(2, [alarm(state=State.OK, revision=2)], [])
    assert found(alarms) == ["one"]


def test_what_settled_before_a_newer_change_does_not_make_the_alarm_quiet() -> None:
    """A person set the state back in between; being quiet now would lose firings for good."""
    alarms = live(alarm())
    alarms.apply(2, [alarm(state=State.OK, revision=2)], [])
    assert found(alarms) == ["one"]
    alarms.settled(alarm(state=State.ALARM, revision=1))
    assert found(alarms) == ["one"]
    alarms.settled(alarm(state=State.ALARM, revision=2))
    assert found(alarms) == []


def test_a_change_that_is_still_queued_counts_as_well() -> None:
    alarms = live(alarm())
    alarms.apply(2, [alarm(state=State.OK, revision=2)], [])
    alarms.settled(alarm(state=State.ALARM, revision=1))
    assert found(alarms) == ["one"]


def test_what_settled_before_the_alarms_were_loaded_again_does_not_make_quiet() -> None:
    alarms = live(alarm())
    alarms.load(2, [alarm(state=State.OK, revision=2)])
    alarms.settled(alarm(state=State.ALARM, revision=1))
    assert found(alarms) == ["one"]


def test_an_unknown_alarm_cannot_settle() -> None:
    alarms = live(alarm())
    alarms.apply(2, [], ["one"])
    assert found(alarms) == []
    alarms.settled(alarm(state=State.ALARM, revision=1))
    alarms.apply(3, [alarm(revision=3)], [])
    assert found(alarms) == ["one"]


def test_loading_forgets_what_was() -> None:
    alarms = live(alarm("old"), alarm("broken", rule=BROKEN_RULE))
    alarms.load(5, [alarm("new", revision=5)])
    assert (found(alarms), alarms.revision, dict(alarms.broken)) == (["new"], 5, {})


def test_a_broken_alarm_is_named_and_harms_no_other() -> None:
    """alarms 10"""
    bad_time = (TimeConstraint("c", "bad", 60),)
    alarms = live(alarm("broken", rule=BROKEN_RULE), alarm("late", time_constraints=bad_time))
    alarms.apply(2, [alarm("one", revision=2)], [])
    assert found(alarms) == ["one"]
    assert set(alarms.broken) == {"broken", "late"}
    assert alarms.broken["broken"].startswith("Unable to convert the value hello")


def test_an_alarm_that_breaks_is_no_longer_matched_by_its_old_rule() -> None:
    alarms = live(alarm())
    alarms.apply(2, [alarm(rule=BROKEN_RULE, revision=2)], [])
    assert set(alarms.broken) == {"one"}
    assert found(alarms) == []
    alarms.apply(3, [alarm(revision=3)], [])
    assert (found(alarms), dict(alarms.broken)) == (["one"], {})


def test_alarms_of_all_projects_see_every_event() -> None:
    """alarms 9"""
    alarms = live(alarm("all", project_id="p", all_projects=True), alarm("own", project_id="p"))
    own = EVENT._replace(values={"x": "1", "project_id": "p"})
    assert sorted(k for k, _ in alarms.candidates([own])) == ["all", "own"]
    assert found(alarms) == ["all"]


def test_loading_leaves_the_garbage_collector_as_it_was() -> None:
    assert gc.isenabled()
    live(alarm())
    assert gc.isenabled()


def test_costly_names_where_many_alarms_are_scanned() -> None:
    nothing_to_index = a_rule("a", a_condition("traits.x", "1", "ne"))
    alarms = live(*(alarm(f"alarm-{n}", rule=nothing_to_index) for n in range(50)))
    assert alarms.costly(1) == [("", "a", 50)]


def test_many_threads_match_while_alarms_change() -> None:
    alarms = live(*(alarm(f"fixed-{n}") for n in range(20)))
    changing = alarm("changing", project_id="", revision=2)
    wrong: list[list[str]] = []

    def match() -> None:
        for _ in range(200):
            ids = [alarm_id for alarm_id in found(alarms) if alarm_id != "changing"]
            if len(ids) != 20:
                wrong.append(ids)

    threads = [threading.Thread(target=match) for _ in range(3)]
    for thread in threads:
        thread.start()
    for revision in range(2, 200):
        alarms.apply(revision, [replace(changing, revision=revision)], [])
        alarms.apply(revision, [], ["changing"])
    for thread in threads:
        thread.join()
    assert wrong == []
    assert "changing" not in found(alarms)


# --- composite alarms ------------------------------------------------------------------------

OTHER_EVENT = an_event(event_type="a", x="2")


def a_composite_alarm(*states: State, **changes: Any) -> Alarm:
    rule = any_of(RULE, all_of(OTHER_RULE, Reference("other")))
    return a_composite(
        rule, **{"alarm_id": "one", "revision": 1, "leaf_states": states, **changes}
    )


def pairs(alarms: LiveAlarms) -> list[tuple[str, str]]:
    found = alarms.candidates([EVENT, OTHER_EVENT])
    return [(alarm_id, str(event.values["x"])) for alarm_id, event in found]


def test_a_composite_alarm_is_found_by_each_of_its_conditions_and_counts_once() -> None:
    alarms = live(a_composite_alarm(), a_composite(any_of(Reference("one")), alarm_id="two"))
    assert pairs(alarms) == [("one", "1"), ("one", "2")]
    assert len(alarms) == 2


def test_an_event_that_meets_many_conditions_finds_the_alarm_once() -> None:
    alarms = live(
        a_composite(any_of(RULE, all_of(RULE, a_rule("*"))), alarm_id="one"), alarm("two")
    )
    assert sorted(found(alarms)) == ["one", "two"]


def test_conditions_of_a_composite_alarm_are_quiet_one_by_one() -> None:
    """alarms 11"""
    met = a_composite_alarm(State.ALARM, State.OK)
    assert pairs(live(met)) == [("one", "2")]
    assert len(pairs(live(replace(met, repeat_actions=True)))) == 2
    alarms = live(a_composite_alarm())
    alarms.settled(met)
    assert pairs(alarms) == [("one", "2")]
    alarms.apply(2, [a_composite_alarm(revision=2)], [])
    assert len(pairs(alarms)) == 2
    alarms.settled(met)
    assert len(pairs(alarms)) == 2


def test_what_settled_by_another_rule_makes_no_condition_quiet() -> None:
    """The store is ahead of what is in memory: its conditions have other numbers there."""
    alarms = live(a_composite_alarm())
    newer = a_composite(any_of(OTHER_RULE, RULE), alarm_id="one", revision=2)
    alarms.settled(replace(newer, leaf_states=(State.ALARM, State.OK)))
    assert len(pairs(alarms)) == 2


def test_an_alarm_that_becomes_composite_and_back_leaves_nothing_behind() -> None:
    alarms = live(alarm())
    alarms.apply(2, [a_composite_alarm(State.OK, State.ALARM, revision=2)], [])
    assert pairs(alarms) == [("one", "1")]
    alarms.apply(3, [alarm(revision=3, rule=OTHER_RULE)], [])
    assert pairs(alarms) == [("one", "2")]
    alarms.apply(4, [a_composite_alarm(revision=4)], [])
    alarms.apply(5, [], ["one"])
    assert (pairs(alarms), len(alarms)) == ([], 0)


def test_a_composite_alarm_of_which_a_condition_cannot_be_used_is_not_matched() -> None:
    broken = a_composite(any_of(RULE, BROKEN_RULE), alarm_id="one", revision=1)
    alarms = live(broken)
    assert (found(alarms), [*alarms.broken], len(alarms)) == ([], ["one"], 0)
    alarms.apply(2, [replace(broken, revision=2)], [])
    assert (found(alarms), [*alarms.broken]) == ([], ["one"])
