"""The application that the commands are tested with: a real store; our own clock and ids.

tocsin = Tocsin(store)
tocsin("alarm", "list")                     its output; the exit code must be 0
tocsin.fails("alarm", "show", "x")          its error output; the exit code must be 1, or `code`
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeAlias

import click
import structlog
from click.testing import CliRunner, Result

from pipeline import yaml_source
from pipeline.access import LOCAL
from pipeline.access.settings import ApiSettings, ClientSettings
from pipeline.cli.base import TocsinGroup
from pipeline.desk import Desk, LocalDesk
from pipeline.feed import AlarmsSettings
from pipeline.health import MetricsSettings
from pipeline.kinds import Kinds, KindsSettings
from pipeline.normalise import Normaliser, compiled
from pipeline.normalise.settings import SHIPPED_DEFINITIONS
from pipeline.past import Past
from pipeline.pruner import Pruner, RetentionSettings
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.sending import Sender
from pipeline.settings import Settings
from pipeline.store.base import RejectedEvent
from pipeline.store.sql import SqlStore
from pipeline.targets.settings import DeliverySettings
from pipeline.telling import Telling
from pipeline.templates import Templates, TemplatesSettings

from builders import NOON


class TestApplication:
    """What commands ask for. `rejects` is the answer to whoever replays a rejected event."""

    __test__ = False

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.caller = LOCAL
        self.desk: Desk = LocalDesk(self)
        self.sealer = KeyFileSealer(KeyFile("no-key-file"))
        self.now = NOON
        self.rejects: str | None = None
        self.replayed: list[RejectedEvent] = []
        self.retention = RetentionSettings()
        self.metrics = MetricsSettings(port=0)
        self.client = ClientSettings()
        self.template_settings, self.kind_settings = TemplatesSettings(), KindsSettings()
        self.delivery = DeliverySettings()
        self.alarm_settings, self.api_settings = AlarmsSettings(), ApiSettings()
        self._ids = count(1)

    @property
    def settings(self) -> Any:
        """None but those that a command here reads."""
        return SimpleNamespace(
            metrics=self.metrics,
            templates=self.template_settings,
            client=self.client,
            alarms=self.alarm_settings,
            api=self.api_settings,
        )

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def new_id(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._ids):012}"

    @property
    def kinds(self) -> Kinds:
        return self.telling.kinds

    @property
    def templates(self) -> Templates:
        return self.telling.templates

    @cached_property
    def telling(self) -> Telling:
        settings = replace(
            Settings(),
            templates=self.template_settings,
            kinds=self.kind_settings,
            delivery=self.delivery,
        )
        log, store = structlog.get_logger(), (lambda: self.store)
        return Telling(settings, store, self.clock, self.new_id, log, ExitStack())

    def past(self) -> Past:
        definitions = yaml_source.load_file(SHIPPED_DEFINITIONS)
        return Past(self.store, Normaliser(compiled(definitions)), self.clock())

    def sender(self) -> Sender:
        return self.telling.sender()

    def pruner(self) -> Pruner:
        return Pruner(
            self.store,
            self.retention,
            clock=self.clock,
            new_id=self.new_id,
            log=structlog.get_logger(),
        )

    def costly_alarms(self) -> list[tuple[str | None, str, int]]:
        return [(None, "*", 3), ("p-1", "a.b", 2)]

    def replay_rejected(self, rejected: RejectedEvent) -> str | None:
        self.replayed.append(rejected)
        return self.rejects


At: TypeAlias = Callable[[TestApplication], Desk]


class Tocsin:
    """The command `tocsin` with the groups it is given, run in this process.

    `at` gives the desk that its commands ask, the fixture `at` both in turn: the local one, and
    one that asks a server.
    """

    def __init__(self, store: SqlStore, *commands: click.Command, at: At | None = None) -> None:
        self.application = TestApplication(store)
        if at is not None:
            self.application.desk = at(self.application)
        self.root = TocsinGroup("tocsin", commands=list(commands))

    def run(self, *arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(self.root, arguments, input=input, obj=self.application)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def __call__(self, *arguments: str, input: str | None = None) -> str:
        result = self.run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        assert not result.stderr or input is not None
        return result.stdout

    def fails(self, *arguments: str, code: int = 1) -> str:
        result = self.run(*arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.stderr
        return result.stderr
