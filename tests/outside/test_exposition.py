"""/metrics, /healthz and /readyz: whoever looks from outside is told the truth."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from pipeline.errors import InvalidValue
from pipeline.exposition import Exposition
from pipeline.health import Health, MetricsSettings
from pipeline.observer import Pulse


class StillPulse(Pulse):
    """A pulse that has not beaten for so long."""

    seconds = 0.0

    @property
    def silent_seconds(self) -> float:
        return self.seconds


class Part:
    name = "part"

    def __init__(self) -> None:
        self.pulse = StillPulse()


@contextmanager
def serving(
    health: Health, settings: MetricsSettings | None = None
) -> Iterator[Exposition]:  # fmt: skip
    settings = settings or MetricsSettings(port=0)
    exposition = Exposition(
        settings,
        CollectorRegistry(),
        illness=health.illness,
        unreadiness=health.unreadiness,
        log=structlog.get_logger(),
    )
    exposition.start()
    try:
        yield exposition
    finally:
        exposition.close()


def get(exposition: Exposition, path: str) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{exposition.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_process_is_alive_and_not_ready_while_alarms_are_loaded() -> None:
    with serving(Health(60)) as exposition:
        assert get(exposition, "/healthz") == (200, {"status": "ok"})
        status, body = get(exposition, "/readyz")
    assert status == 503
    assert "loaded" in body["status"]["process"]


def test_process_is_ready_while_no_condition_finds_anything_wrong() -> None:
    health, trouble = Health(60), ["no answer"]
    health.require("database", lambda: trouble[0])
    health.started(tuple)
    with serving(health) as exposition:
        assert get(exposition, "/readyz") == (503, {"status": {"database": "no answer"}})
        assert get(exposition, "/healthz") == (200, {"status": "ok"})
        trouble[0] = ""
        assert get(exposition, "/readyz") == (200, {"status": "ok"})


def test_part_that_is_stuck_or_has_ended_makes_the_process_ill() -> None:
    health, part = Health(60), Part()
    health.watch(part)
    ended: list[str] = []
    health.started(lambda: ended)
    with serving(health) as exposition:
        assert get(exposition, "/healthz")[0] == 200
        part.pulse.seconds = 61
        assert get(exposition, "/healthz") == (
            503,
            {"status": {"part": "has not come round for 61 s"}},
        )
        ended.append("part")
        assert get(exposition, "/healthz") == (503, {"status": {"part": "has ended"}})


def test_two_processes_on_one_machine_get_a_port_each() -> None:
    settings = MetricsSettings()
    with serving(Health(60), settings) as first, serving(Health(60), settings) as second:
        assert first.port != second.port


def test_port_that_is_taken_is_refused_with_the_setting_to_mend() -> None:
    with serving(Health(60)) as first:
        settings = MetricsSettings(port=first.port)
        with pytest.raises(InvalidValue, match=r"Set metrics.host and metrics.port"):
            Exposition(settings, CollectorRegistry(), illness=dict, unreadiness=dict, log=None)


def test_other_paths_say_what_there_is() -> None:
    with serving(Health(60)) as exposition:
        status, body = get(exposition, "/")
    assert status == 404
    assert "/metrics, /healthz or /readyz" in body["error"]
