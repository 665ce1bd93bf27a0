"""What goes in during the disturbances, and what has to come of it.

Captured Keystone notifications that fire nothing, among them some that fire alarms which repeat,
some that compete for alarms which fire once, poison of every kind, events that the database
refuses, and some messages published twice. Made from a seeded chance alone: the same seed gives
the same load.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.alarms.alarm import Alarm, Condition, EventRule

from builders import an_alarm
from faults.poison import POISONS, UNRECORDABLE

EXCHANGE, QUEUE, SINK = "keystone", "notifications.info", "sink"
USERS, ONE_SHOTS = 60, 20
_FIRING_SHARE, _HOT_SHARE, _TWICE_SHARE = 0.06, 0.2, 0.01
_UNRECORDABLES, _POISON_ROUNDS = 6, 2
_USER, _GROUP = "identity.user.deleted", "identity.group.deleted"
_CAPTURED = Path(__file__).parents[1] / "data" / "keystone-cadf.jsonl"


@dataclass
class Load:
    """The messages in order, the alarms that they meet, and what has to come of them.

    `repeating` are the (alarm_id, message_id) that must each make one transition; `once` gives
    for an alarm that fires once the messages of which one must; `rejected` are the bodies that
    must be kept as rejected events; `published` are the messages that the sinks must get.
    """

    bodies: list[bytes] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    repeating: set[tuple[str, str]] = field(default_factory=set)
    once: dict[str, set[str]] = field(default_factory=dict)
    rejected: set[bytes] = field(default_factory=set)
    published: set[str] = field(default_factory=set)

    @property
    def transitions(self) -> int:
        """How many there have to be."""
        return len(self.repeating) + len(self.once)


def pipelines(broker_url: str) -> str:
    """A pipelines file: everything to the alarms, and what may fire to a queue and the archive."""
    return f"""
sources:
  - {{name: all, events: ["*"], sinks: [alarms]}}
  - {{name: deleted, events: [{_USER}, {_GROUP}], sinks: [others]}}
sinks:
  - {{name: alarms, publishers: ["alarms://"]}}
  - {{name: others, publishers: ["{broker_url}?routing_key={SINK}", "store://"]}}
"""


def a_load(events: int, receiver_url: str, chance: random.Random) -> Load:
    """So many events, poison and repeats on top; every alarm tells the receiver."""
    load = Load(alarms=_alarms(receiver_url))
    captured = _captured()
    firing = int(events * _FIRING_SHARE)
    for number in range(firing):
        _add_firing(load, captured[0], number, hot=chance.random() < _HOT_SHARE)
    again = chance.sample(load.bodies, int(events * _TWICE_SHARE))
    for number in range(firing, events):
        load.bodies.append(_message(chance.choice(captured), f"m-{number}"))
    for number in range(_UNRECORDABLES):
        load.published.add(f"{UNRECORDABLE}{number}")
        message_id = f"{UNRECORDABLE}{number}"
        load.rejected.add(_message(captured[0], message_id, _USER, f"user-{number}"))
    load.rejected |= {make(n) for make in POISONS.values() for n in range(_POISON_ROUNDS)}
    load.bodies += [*again, *sorted(load.rejected), *sorted(load.rejected)]
    chance.shuffle(load.bodies)
    return load


def _add_firing(load: Load, captured: dict[str, Any], number: int, hot: bool) -> None:
    user, message_id = number % USERS, f"m-{number}"
    event_type = _GROUP if hot else _USER
    load.bodies.append(_message(captured, message_id, event_type, f"user-{user}"))
    load.repeating.add((f"each-{user}", message_id))
    load.published.add(message_id)
    if hot:
        load.repeating.add(("hot", message_id))
    if user < ONE_SHOTS:
        load.once.setdefault(f"once-{user}", set()).add(message_id)


def _alarms(url: str) -> list[Alarm]:
    each = [(f"each-{n}", "identity.*.deleted", "eq", f"user-{n}", True) for n in range(USERS)]
    once = [
        (f"once-{n}", "identity.*.deleted", "eq", f"user-{n}", False) for n in range(ONE_SHOTS)
    ]
    hot = ("hot", _GROUP, "ge", "user-", True)  # for which all processes compete
    return [
        an_alarm(
            alarm_id=alarm_id,
            name=alarm_id,
            rule=EventRule(event_type, (Condition("traits.resource_id", op, who, "string"),)),
            all_projects=True,
            repeat_actions=repeats,
            alarm_actions=(f"{url}/{alarm_id}",),
        )
        for alarm_id, event_type, op, who, repeats in [*each, *once, hot]
    ]


def _captured() -> list[dict[str, Any]]:
    """Notifications of types that no alarm is on."""
    bodies = [json.loads(line)["body"] for line in _CAPTURED.read_text().splitlines()]
    messages = [json.loads(json.loads(body)["oslo.message"]) for body in bodies]
    return [message for message in messages if "deleted" not in message["event_type"]]


def _message(
    captured: dict[str, Any], message_id: str, event_type: str = "", who: str = ""
) -> bytes:
    message = {**captured, "message_id": message_id}
    if event_type:
        message["event_type"] = event_type
        message["payload"] = {**captured["payload"], "resource_info": who}
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()
