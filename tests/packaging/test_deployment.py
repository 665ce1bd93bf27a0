"""What is shipped to run Tocsin is true: compose file, image, wheel, demo, reference."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli.main import root
from pipeline.settings import load

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command of the program, by its words."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        here = (*path, name)
        found += commands(command, here) if isinstance(command, click.Group) else [here]
    return found


@pytest.mark.parametrize("service", ["listener", "notifier", "api"])
def test_compose_runs_the_commands_that_the_tests_run(service: str) -> None:
    """Its commands exist, and its settings are settings (tests/acceptance runs both)."""
    definition = COMPOSE["services"][service]
    assert definition["command"][0] == service
    root.commands[service].make_context(service, list(definition["command"][1:]))
    loaded = load(ROOT / "tocsin.yaml", definition["environment"])
    assert loaded.warnings == ()
    assert loaded.settings.database.url.startswith("postgresql://")
    assert loaded.settings.rabbitmq.urls[0].startswith("amqp://")


def test_compose_services_reach_each_other_by_name() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"rabbitmq", "postgresql", "listener", "notifier", "api", "receiver"}
    environment = services["listener"]["environment"]
    assert "@rabbitmq:5672" in environment["TOCSIN_RABBITMQ_URLS"]
    assert "@postgresql:5432" in environment["TOCSIN_DATABASE_URL"]
    assert set(services["listener"]["depends_on"]) <= set(services)


def test_compose_receiver_command_is_the_receivers() -> None:
    receiver = COMPOSE["services"]["receiver"]
    done = subprocess.run(
        [sys.executable, *receiver["entrypoint"][1:], *receiver["command"], "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_grace_of_compose_is_longer_than_the_drain() -> None:
    grace = int(COMPOSE["services"]["listener"]["stop_grace_period"].removesuffix("s"))
    assert grace > load(ROOT / "tocsin.yaml", {}).settings.process.drain_seconds


def test_image_copies_only_what_is_there() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert f"!{name.removeprefix('./')}" in (ROOT / ".dockerignore").read_text()


def test_wheel_holds_the_defaults_the_demo_and_the_migrations(tmp_path: Path) -> None:
    """Built as `pip install` builds it, so that an installed Tocsin works without the clone."""
    subprocess.run(
        [sys.executable, "-c", "from setuptools import setup; setup()", "--quiet",
         "build", "--build-base", str(tmp_path), "egg_info", "--egg-base", str(tmp_path)],
        cwd=ROOT, check=True, timeout=120, capture_output=True,
    )  # fmt: skip
    built = tmp_path / "lib" / "pipeline"
    for name in (
        "defaults/event_definitions.yaml",
        "defaults/pipelines.yaml",
        "defaults/tocsin.yaml",
        "defaults/demo/keystone.jsonl",
        "defaults/demo/alarms.yaml",
        "store/migrations/env.py",
    ):
        assert (built / name).is_file(), name
        assert not (built / name).is_symlink(), name
    assert list((built / "store" / "migrations" / "versions").glob("*.py"))


def test_demo_shows_events_alarms_and_callbacks_and_ends_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "demo"],
        env={**os.environ, "TOCSIN_DATABASE_URL": "postgresql://nowhere/x", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for expected in (
        "81 Keystone notifications",
        "3 of the 4 alarms",
        "user deleted (moderate) fired 6 times",
        "domain deleted (critical) did not fire",
        "9 POSTs reached the receiver",
        '"alarm_name": "user deleted"',
        "What to try next",
    ):
        assert expected in done.stdout
    assert "Traceback" not in done.stderr


def test_reference_is_what_the_code_says() -> None:
    """Every command, setting, operator, type and plugin; `make docs` writes it."""
    spec = importlib.util.spec_from_file_location(
        "make_reference", ROOT / "docs/make_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    make_reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_reference)
    assert (ROOT / "docs/reference.md").read_text() == make_reference.page()
