"""Composite alarms while alarms are tried out: what the events make of them, one after the other.

They are evaluated together with the alarms that they refer to, as a worker does it
(`composites.Evaluation`). Pure. Called by `pipeline.alarms.trying`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.alarms.alarm import Alarm, State
from pipeline.alarms.composites import Composites, Evaluation, Referred
from pipeline.alarms.composition import rule_of
from pipeline.errors import InvalidValue
from pipeline.event import Event


class TriedComposites:
    """Composite alarms, as they become. `referred` are all that they refer to, by id.

    Raises `InvalidValue` for alarms that refer to each other in a circle.
    """

    def __init__(self, alarms: Sequence[Alarm], referred: Mapping[str, Referred]) -> None:
        self.alarms: Mapping[str, Alarm] = dict(_ordered(alarms))
        wanted = {each for alarm in alarms for each in rule_of(alarm).references}
        self._referred = {key: referred[key] for key in wanted if key in referred}

    def look(
        self, event: Event, met: Sequence[str], changed: Mapping[str, State]
    ) -> frozenset[str]:
        """The ids of those that fire. The event meets conditions of `met`; `changed` are others
        that fired on it, with their states."""
        seen = {key: state for key, state in changed.items() if key in self._referred}
        if not (met or seen):
            return frozenset()
        evaluation = Evaluation(Composites(self.alarms, self._referred), event.generated)
        fired = {each.alarm.alarm_id: each.current
                 for each in evaluation.happens(event, met=met, changed=seen)}  # fmt: skip
        self.alarms = evaluation.alarms
        for key, state in {**seen, **fired}.items():
            if key in self._referred:
                self._referred[key] = self._referred[key]._replace(state=state)
        return frozenset(fired)


def _ordered(alarms: Sequence[Alarm]) -> Iterator[tuple[str, Alarm]]:
    """Each after those that it refers to."""
    waiting = {alarm.alarm_id: alarm for alarm in alarms}
    while waiting:
        ready = [
            alarm for alarm in waiting.values()
            if not any(each in waiting for each in rule_of(alarm).references)
        ]  # fmt: skip
        if not ready:
            names = ", ".join(sorted(alarm.name for alarm in waiting.values()))
            message = f"these alarms refer to each other in a circle, or to such: {names}."
            raise InvalidValue(f"composite_rule: {message}", "composite_rule")
        for alarm in ready:
            del waiting[alarm.alarm_id]
            yield alarm.alarm_id, alarm
