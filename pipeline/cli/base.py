"""What all commands share: what a command is handed, and how our errors reach a person.

A command module exports click commands or groups; it asks for the application with
`@pass_application` and never opens a database, reads a setting or prints a traceback itself.
click itself suggests the command or option that was perhaps meant.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

from pipeline.errors import ConfigError, InvalidValue, TocsinError

if TYPE_CHECKING:
    from pipeline.desk import Desk
    from pipeline.pruner import Pruner
    from pipeline.secrets import KeyFileSealer
    from pipeline.settings import Settings
    from pipeline.store.sql import SqlStore

_Result = TypeVar("_Result")

EXIT_FAILED, EXIT_USAGE = 1, 2


class Application(Protocol):
    """What a command may ask for (`pipeline.app.Application`); most ask the desk alone."""

    @property
    def desk(self) -> Desk:
        """Where questions go that the database of this machine can answer, or a server."""

    @property
    def settings(self) -> Settings:
        """The effective settings."""

    @property
    def store(self) -> SqlStore:
        """The store, opened at the first use."""

    @property
    def sealer(self) -> KeyFileSealer:
        """What seals the secrets of targets."""

    def clock(self) -> datetime:
        """Now, aware UTC."""

    def new_id(self) -> str:
        """A new unique id."""

    def pruner(self) -> Pruner:
        """What removes what is too old."""


def pass_application(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Hand a command the application, as its first argument."""

    @wraps(command)
    def with_application(*args: Any, **options: Any) -> _Result:
        return command(click.get_current_context().find_root().obj, *args, **options)

    return with_application


def pass_local(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Hand a command that works on this machine alone the application, as its first argument.

    Where a server is named it is refused: it would do to one database what was meant for another.
    """

    @wraps(command)
    def with_application(*args: Any, **options: Any) -> _Result:
        app = click.get_current_context().find_root().obj
        if server := app.settings.client.server:
            path = click.get_current_context().command_path
            raise InvalidValue(
                f"{path} works on the database of this machine, and {server} is asked. Run it "
                "there, or name no server (--server, TOCSIN_SERVER, client.server)."
            )
        return command(app, *args, **options)

    return with_application


def pass_desk(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """Hand a command the desk, as its first argument: it works on a server as well."""

    @wraps(command)
    def with_desk(*args: Any, **options: Any) -> _Result:
        return command(click.get_current_context().find_root().obj.desk, *args, **options)

    return with_desk


class TocsinGroup(click.Group):
    """The root group: an error that was raised on purpose becomes a message, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            fail(str(error), EXIT_USAGE)
        except InvalidValue as error:
            fail(f"Error: {error}", EXIT_USAGE)
        except TocsinError as error:
            fail(f"Error: {error}", EXIT_FAILED)


def fail(message: str, code: int) -> NoReturn:
    """End the command with a message on standard error."""
    click.echo(message, err=True)
    raise click.exceptions.Exit(code)
