"""Normalising and matching beside Ceilometer's converter and Aodh's evaluator, from PyPI.

Both sides get the same captured messages, definitions, events and alarms in the same run, each in
a process of its own; the alarms that match must be as many. Theirs live in an environment of
their own (`.venv-peers`), made at the first use. Times are CPU time; medians over the rounds.
What is measured of them is the converter and the evaluator alone, with every alarm at hand:
neither their queues nor their database. Aodh's evaluator starts from the event as JSON objects and
lists, as it comes to it; ours from the event that our normaliser made.

    python -m benchmarks.peers [--rounds 5] [--python PATH]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.matching import an_id, captured_events, events_for
from benchmarks.tables import Figure, Row, show
from pipeline.alarms.alarm import Condition, EventRule
from pipeline.alarms.index import AlarmIndex
from pipeline.captured import read_line
from pipeline.envelope import Envelope, open_envelope
from pipeline.event import Event, TraitType
from pipeline.normalise.definitions import compiled
from pipeline.normalise.normaliser import Normaliser
from pipeline.yaml_source import load_file

ROOT = Path(__file__).resolve().parents[1]
CAPTURED = ROOT / "tests" / "data" / "keystone-cadf.jsonl"
ENVIRONMENT = ROOT / ".venv-peers"
PACKAGES = ("aodh>=20", "ceilometer>=24")
EVENTS = 2_000
SPREADS = {
    "1,000 alarms in 1,000 projects": (1_000, 1_000),
    "100,000 alarms in 10,000 projects": (100_000, 10_000),
    "1,000 alarms in one project": (1_000, 1),
}

Alarms = list[tuple[str, str, EventRule]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and show the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", help="an interpreter that has ceilometer and aodh")
    options = parser.parse_args(arguments)
    python = options.python or environment()
    bodies = [read_line(line).body for line in CAPTURED.read_bytes().splitlines()]
    definitions = ceilometers_definitions(python)
    rows = []
    for number, (name, (count, projects)) in enumerate(SPREADS.items()):
        alarms, events = spread(count, projects)
        theirs = their_times(python, definitions, bodies, alarms, events, options.rounds)
        ours = our_times(definitions, bodies, alarms, events, options.rounds)
        if theirs["matched"] != ours["matched"]:
            raise AssertionError(f"{name}: {theirs['matched']} matches beside {ours['matched']}")
        if number == 0:
            rows += beside("converting, beside Ceilometer", "body → event", "converting",
                           theirs, ours)  # fmt: skip
        rows += beside("matching, beside Aodh", name, "evaluating", theirs, ours)
    show(rows, "CPU time an event")


def beside(
    table: str, name: str, what: str, theirs: dict[str, Any], ours: dict[str, Any]
) -> list[Row]:
    """Both contenders' lines; ours says how many times as fast it is."""
    ratios = [a / b for a, b in zip(theirs[what], ours[what], strict=True)]
    peer = table.rpartition(" ")[2]
    return [
        Row(table, f"{peer}, {name}", [Figure("µs", theirs[what])]),
        Row(table, f"Tocsin, {name}", [Figure("µs", ours[what]), Figure("times as fast", ratios)]),
    ]


def environment() -> str:
    """The interpreter of the peers' own environment, which is made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    complete = ENVIRONMENT / "complete"
    if not complete.exists():
        print(f"making {ENVIRONMENT.name} with {' and '.join(PACKAGES)} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True, timeout=120)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *PACKAGES], check=True, timeout=900)
        complete.touch()
    return str(python)


def spread(count: int, projects: int) -> tuple[Alarms, list[Event]]:
    """Alarms as people make them, and captured events in their projects.

    Every tenth alarm is about a user who is in the events; no condition is on a trait that an
    event may lack, for there Aodh differs (alarms 10).
    """
    dice = random.Random(count)
    kind = "one project" if projects == 1 else "projects"
    events = [typed(event) for event in events_for(kind, min(count, projects), dice)[:EVENTS]]
    users = [str(event.values["initiator_id"]) for event in events]
    types = sorted({event.event_type for event in captured_events()})
    alarms = []
    for number in range(count):
        event_type = dice.choice(types)
        if dice.random() < 0.2:
            event_type = dice.choice([event_type.rsplit(".", 1)[0] + ".*", "identity.*"])
        user = dice.choice(users) if number % 10 == 0 else an_id(dice)
        conditions = (
            Condition("traits.initiator_id", "eq", user, "string"),
            Condition("traits.priority", "ne", "debug", "string"),
        )
        project = f"p-{number % projects}"
        alarms.append((str(uuid.UUID(int=dice.getrandbits(128))), project,
                       EventRule(event_type, conditions)))  # fmt: skip
    return alarms, events


def ceilometers_definitions(python: str) -> str:
    """The path of the definitions that Ceilometer ships, which both sides use."""
    find = "import ceilometer.pipeline as p; print(p.__path__[0] + '/data/event_definitions.yaml')"
    done = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True,
                          timeout=60)  # fmt: skip
    return done.stdout.strip()


def typed(event: Event) -> Event:
    """With the types of the traits that `events_for` gave it."""
    return event._replace(types=dict.fromkeys(event.values, TraitType.TEXT) | dict(event.types))


def their_times(
    python: str,
    definitions: str,
    bodies: Sequence[bytes],
    alarms: Alarms,
    events: Sequence[Event],
    rounds: int,
) -> dict[str, Any]:
    given = {
        "bodies": [body.decode() for body in bodies],
        "definitions": definitions,
        "rounds": rounds,
        "events": [event.as_dict() for event in events],
        "alarms": [
            (alarm_id, project, rule.event_type, [query_of(each) for each in rule.query])
            for alarm_id, project, rule in alarms
        ],
    }
    done = subprocess.run(
        [python, Path(__file__).with_name("openstack_peers.py")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the peers failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def query_of(condition: Condition) -> dict[str, Any]:
    return {
        "field": condition.field,
        "op": condition.op,
        "value": condition.value,
        "type": condition.type,
    }


def our_times(
    definitions: str, bodies: Sequence[bytes], alarms: Alarms, events: Sequence[Event], rounds: int
) -> dict[str, Any]:
    index = AlarmIndex()
    for alarm_id, project, rule in alarms:
        index.put(alarm_id, project, rule)
    normaliser = Normaliser(compiled(load_file(definitions)))

    def convert(body: bytes) -> object:
        envelope = open_envelope(body)
        assert isinstance(envelope, Envelope)
        return normaliser.normalise(envelope)

    found: dict[str, Any] = {"converting": [], "evaluating": []}
    for _ in range(rounds):
        found["converting"].append(microseconds(convert, bodies))
        found["evaluating"].append(microseconds(index.matches, events))
    found["matched"] = sum(len(index.matches(event)) for event in events)
    return found


def microseconds(function: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    start = time.process_time()
    for argument in arguments:
        function(argument)
    return (time.process_time() - start) / len(arguments) * 1e6


if __name__ == "__main__":
    main()
