"""The evaluator: what one event does to one alarm.

`decide` is the whole truth about firing (alarms 9 to 12): the index and the live alarms only
spare it the alarms that surely do not fire. It is given the alarm as it stands in the store, held
against change; so an alarm whose rule was changed a moment ago is judged by its new rule.

Pure. Called by `pipeline.worker` inside its transaction, and by whoever tries alarms out.
"""

from __future__ import annotations

import json
from datetime import datetime

from pipeline.alarms.alarm import Alarm, EventRule, State, Transition
from pipeline.alarms.composites import decide_alone
from pipeline.alarms.conditions import hits
from pipeline.alarms.schedule import within
from pipeline.errors import InvalidValue
from pipeline.event import Event


def decide(alarm: Alarm, event: Event, now: datetime) -> Transition | None:
    """The transition that the event causes, None if the alarm does not fire. Never raises.

    With `repeat_actions` an alarm that is in state alarm makes a transition to the same state. Of
    a composite alarm it is what the event makes of it by itself (`pipeline.alarms.composites`).
    """
    rule = alarm.rule
    if not isinstance(rule, EventRule):
        return decide_alone(alarm, event, now)
    if not alarm.enabled or is_quiet(alarm) or not concerns(alarm, event):
        return None
    if not _holds(alarm, rule, event, now):
        return None
    reason = _reason(rule, event)
    return Transition(alarm, event, alarm.state, State.ALARM, reason, now)


def is_quiet(alarm: Alarm) -> bool:
    """Whether no event makes the alarm fire until a person sets its state back (alarms 11).

    Not for composite alarms, which are quiet condition by condition
    (`composition.quiet_conditions`).
    """
    return alarm.state is State.ALARM and not alarm.repeat_actions


def concerns(alarm: Alarm, event: Event) -> bool:
    """Whether the alarm sees the event's project (alarms 9)."""
    return alarm.all_projects or alarm.project_id == event.project_id


def _holds(alarm: Alarm, rule: EventRule, event: Event, now: datetime) -> bool:
    try:
        return hits(rule, event) and within(alarm.time_constraints, now)
    except InvalidValue:
        # Such an alarm is refused when it is made. One that got into the store all the same is
        # reported when the alarms are loaded; here it must not take the batch down with it.
        return False


def _reason(rule: EventRule, event: Event) -> str:
    """Aodh's reason, character by character (alarms 12)."""
    query = json.dumps(rule.as_dict()["query"], sort_keys=True)
    which = f"id={event.message_id},event_type={event.event_type}"
    return f"Event <{which}> hits the query <query={query}>."
