"""Ceilometer's converter and Aodh's evaluator, as they come from PyPI, over given messages.

Run by `benchmarks.peers` with the interpreter of an environment that has `ceilometer` and `aodh`
and not Tocsin; imports nothing of it. Reads one JSON object on standard input:

    {"bodies": [text, …], "definitions": path, "rounds": n,
     "events": [row 23 of events-in, …], "alarms": [[id, project, event type, query], …]}

and writes one on standard output: CPU microseconds an event in each round, and how many pairs of
(alarm, event) matched, so that the caller can see that both did the same work.

The evaluator is Aodh's own class. Two things are taken from it, to its advantage: its alarms come
out of memory, not out of a database, and a match is counted, not written down.
"""

import json
import logging
import sys
import time


def main():
    given = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    found = {"converting": [], "evaluating": []}
    convert = converter(given["definitions"])
    bodies = [body.encode() for body in given["bodies"]]
    evaluator = counting_evaluator(given["alarms"])
    evaluator.evaluate_events(given["events"])  # the alarms of every project are then at hand
    evaluator.fired = 0
    for _ in range(given["rounds"]):
        found["converting"].append(microseconds(convert, bodies))
        found["evaluating"].append(microseconds(evaluator.evaluate_events, given["events"]))
    found["matched"] = evaluator.fired / given["rounds"]
    json.dump(found, sys.stdout)


def microseconds(function, arguments):
    start = time.process_time()
    for argument in arguments:
        function(argument)
    return (time.process_time() - start) / len(arguments) * 1e6


def converter(definitions):
    """From a message's body to Ceilometer's event, as its notification agent does it."""
    from ceilometer.event import converter as ceilometer_converter
    from oslo_config import cfg
    from stevedore import extension

    conf = cfg.ConfigOpts()
    conf.register_opts(ceilometer_converter.OPTS, group="event")
    conf([], project="ceilometer", default_config_files=[], default_config_dirs=[])
    conf.set_override("definitions_cfg_file", definitions, group="event")
    plugins = extension.ExtensionManager(namespace="ceilometer.event.trait_plugin")
    to_event = ceilometer_converter.setup_events(conf, plugins).to_event

    def convert(body):
        message = json.loads(json.loads(body)["oslo.message"])
        notification = {
            "ctxt": {k[9:]: v for k, v in message.items() if k.startswith("_context_")},
            "publisher_id": message["publisher_id"],
            "event_type": message["event_type"],
            "payload": message["payload"],
            "metadata": {k: message[k] for k in ("message_id", "timestamp")},
            "priority": message["priority"],
        }
        return to_event(message["priority"].lower(), notification)

    return convert


def counting_evaluator(alarms):
    """Aodh's evaluator over these alarms."""
    from aodh.evaluator import event as aodh_event
    from oslo_config import cfg

    class Evaluator(aodh_event.EventAlarmEvaluator):
        def __init__(self, conf, storage):
            self.conf, self.storage_conn = conf, storage
            self.caches, self.fired = {}, 0

        def _fire_alarm(self, alarm, event):
            self.fired += 1

    conf = cfg.ConfigOpts()
    conf.register_opts(aodh_event.OPTS)
    conf([], project="aodh", default_config_files=[], default_config_dirs=[])
    conf.set_override("event_alarm_cache_ttl", 86_400)
    return Evaluator(conf, Alarms(alarms))


class Alarms:
    """As much of Aodh's storage as its evaluator asks."""

    def __init__(self, alarms):
        from aodh.storage.models import Alarm
        from oslo_utils import timeutils

        now = timeutils.utcnow()
        self.by_project = {}
        for alarm_id, project, event_type, query in alarms:
            alarm = Alarm(
                alarm_id=alarm_id,
                type="event",
                enabled=True,
                name=alarm_id,
                description="",
                timestamp=now,
                user_id="u",
                project_id=project,
                state="insufficient data",
                state_timestamp=now,
                state_reason="",
                ok_actions=[],
                alarm_actions=[],
                insufficient_data_actions=[],
                repeat_actions=True,
                rule={"event_type": event_type, "query": query},
                time_constraints=[],
            )
            self.by_project.setdefault(project, []).append(alarm)

    def get_alarms(self, project_id, **_):
        return self.by_project.get(project_id, [])


if __name__ == "__main__":
    main()
