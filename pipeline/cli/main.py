"""The root of the command: global options, and every group of commands put together."""

from __future__ import annotations

import sys

import click

from pipeline import __version__
from pipeline.cli.alarm_history import alarm_history
from pipeline.cli.alarms import alarm
from pipeline.cli.archive import event
from pipeline.cli.as_code import apply, export
from pipeline.cli.base import TocsinGroup, fail
from pipeline.cli.capabilities import capabilities
from pipeline.cli.completion import completion
from pipeline.cli.config import check, config
from pipeline.cli.dead_letters import dead_letter
from pipeline.cli.deliveries import delivery
from pipeline.cli.demo import demo
from pipeline.cli.events import normalise, replay
from pipeline.cli.expire import expire
from pipeline.cli.filters import filter_
from pipeline.cli.groups import group
from pipeline.cli.history import history
from pipeline.cli.imports import import_
from pipeline.cli.kinds import kind
from pipeline.cli.matchers import matcher
from pipeline.cli.opening import application
from pipeline.cli.processes import api, listener, notifier, run
from pipeline.cli.publications import publication
from pipeline.cli.rejected import rejected
from pipeline.cli.routes import route
from pipeline.cli.secrets import secrets
from pipeline.cli.send import send
from pipeline.cli.status import status
from pipeline.cli.targets import target
from pipeline.cli.templates import template
from pipeline.cli.tokens import token_
from pipeline.cli.top import top

EXIT_INTERRUPTED = 130


@click.group(
    cls=TocsinGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `tocsin demo`. Settings: `tocsin config show`.",
)
@click.version_option(__version__, prog_name="tocsin")
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The settings file, in place of ./tocsin.yaml, the user's or the system's.",
)
@click.option(
    "--server",
    metavar="URL",
    envvar="TOCSIN_SERVER",
    help="Ask the Tocsin API there, in place of the database; also TOCSIN_SERVER, client.server.",
)
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="TOCSIN_TOKEN",
    help="The token to show there, @FILE to read it from a file; also TOCSIN_TOKEN, client.token.",
)
@click.pass_context
def root(
    ctx: click.Context, config_path: str | None, server: str | None, token: str | None
) -> None:
    """Tocsin turns the events on a message bus into actions."""
    ctx.obj = application(config_path, server, token)
    ctx.call_on_close(ctx.obj.close)


for command in (
    *(run, listener, notifier, api, demo),
    *(alarm, alarm_history, capabilities),
    *(delivery, dead_letter, rejected, publication, event),
    *(send, kind, template),
    *(target, group, filter_, matcher, route),
    *(apply, export, import_),
    *(token_, history),
    *(check, config, secrets, normalise, replay, expire, status, top, completion),
):
    root.add_command(command)


def main() -> None:
    """The entry point of the console script."""
    try:
        root.main(prog_name="tocsin", standalone_mode=True)
    except KeyboardInterrupt:
        fail("interrupted", EXIT_INTERRUPTED)
    sys.exit(0)
