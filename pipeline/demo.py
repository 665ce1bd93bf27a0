"""Demo: the whole main job in one process, on a temporary database, with no server.

Creates the shipped alarms, replays the shipped sample of captured Keystone notifications, runs
the notifier until everything is delivered to a receiver of its own, and says what happened. Leaves
nothing behind. Called by `tocsin demo`, which shows the result to a person.
"""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.alarms.alarm import Alarm
from pipeline.alarms.files import load_alarms
from pipeline.app import Application
from pipeline.receiver import Callback, Receiver
from pipeline.store.base import DeliveryRecord
from pipeline.store.sql import SqlStore
from pipeline.targets import check_action

_DEFAULTS = Path(__file__).parent / "defaults"
SETTINGS = _DEFAULTS / "tocsin.yaml"
SAMPLE, ALARMS = _DEFAULTS / "demo" / "keystone.jsonl", _DEFAULTS / "demo" / "alarms.yaml"
_ADDRESS = "http://127.0.0.1:8900"


@dataclass(frozen=True, slots=True)
class Shown:
    """What happened, for a person to see. `transitions` are the reasons, by alarm id."""

    messages: int
    rejected: int
    alarms: Sequence[Alarm]
    transitions: Mapping[str, Sequence[str]]
    deliveries: Sequence[DeliveryRecord]
    callbacks: Sequence[Callback]
    receiver_url: str


def play(environ: Mapping[str, str]) -> Shown:
    """Do the main job once, from alarms to callbacks."""
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder, _receiver() as receiver:
        database = f"sqlite:///{folder}/tocsin.sqlite"
        ours = {"TOCSIN_DATABASE_URL": database, "TOCSIN_LOG_LEVEL": "warning"}
        application = Application(str(SETTINGS), {**_without_ours(environ), **ours})
        try:
            return _play(application, receiver)
        finally:
            application.close()


def _play(application: Application, receiver: Receiver) -> Shown:
    store = application.store
    for alarm in _alarms(application, receiver.url):
        store.create(alarm)
    tally, _ = application.replay([SAMPLE], progress=False)
    notifier = application.notifier()
    while notifier.run_once():
        pass
    alarms = store.search(sort=[("name", "asc")])
    return Shown(
        messages=tally.received,
        rejected=tally.rejected,
        alarms=alarms,
        transitions={alarm.alarm_id: _reasons(store, alarm) for alarm in alarms},
        deliveries=store.deliveries(limit=1000),
        callbacks=sorted(receiver.callbacks, key=_time_of_event),
        receiver_url=receiver.url,
    )


def _alarms(application: Application, url: str) -> list[Alarm]:
    """The shipped alarms, calling the receiver wherever it listens."""
    alarms = load_alarms(
        ALARMS.read_bytes(),
        str(ALARMS),
        new_id=application.new_id,
        now=application.clock(),
        check_action=check_action,
    )
    return [
        replace(alarm, alarm_actions=tuple(a.replace(_ADDRESS, url) for a in alarm.alarm_actions))
        for alarm in alarms
    ]


def _reasons(store: SqlStore, alarm: Alarm) -> list[str]:
    """Why the alarm fired, each time, oldest first."""
    entries = reversed(store.history(alarm.alarm_id))
    details = [json.loads(e.detail) for e in entries if e.type == "state transition"]
    return [detail["transition_reason"] for detail in details]


def _time_of_event(callback: Callback) -> str:
    return str(callback.json()["reason_data"]["event"]["generated"])


def _receiver() -> Receiver:
    """At the port that the shipped alarms name, or at any when that is taken."""
    try:
        return Receiver(port=urlsplit(_ADDRESS).port or 0)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return Receiver()


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without Tocsin's settings: the demo is the same for everybody."""
    return {name: value for name, value in environ.items() if not name.startswith("TOCSIN_")}
