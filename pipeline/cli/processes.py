"""`tocsin run`, `listener` and `notifier`: the processes that do the work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

from pipeline.access.settings import WAYS
from pipeline.app import Application
from pipeline.supervisor import when_parent_ends

_pass = click.make_pass_decorator(Application)


def _workers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that several processes may carry out together."""
    command = click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Work in N processes, under a parent that starts anew what dies.",
    )(command)
    # How the parent starts a worker.
    return click.option("--worker", type=int, hidden=True)(command)


@click.command()
@_pass
def run(application: Application) -> None:
    """Run everything in one process: listen, match, notify.

    With the default settings that needs no server: events are taken over HTTP, and the database is
    a SQLite file. SIGTERM or Ctrl-C finishes what is in hand and ends; a second one ends at once.

    \b
    Examples:
      tocsin run
      TOCSIN_RABBITMQ_URLS=amqp://guest:guest@localhost:5672/%2F tocsin run
    """
    _run(application, listen=True, notify=True)


@click.command()
@_workers
@_pass
def listener(application: Application, workers: int | None, worker: int | None) -> None:
    """Take events in and match them against the alarms.

    What fires is written down for the notifiers, and then the events are acknowledged.
    Run as many as you like, on as many machines: RabbitMQ shares the events out among them.
    With --workers, HTTP, where it is enabled, is taken by the first worker only.

    \b
    Examples:
      tocsin listener --workers 4
      TOCSIN_DATABASE_URL=postgresql://tocsin@db/tocsin \\
      TOCSIN_RABBITMQ_URLS=amqp://tocsin:secret@rabbit/%2F tocsin listener
    """
    _run_workers(application, "listener", workers, worker, listen=True, notify=False)


@click.command()
@_workers
@_pass
def notifier(application: Application, workers: int | None, worker: int | None) -> None:
    """Deliver what has fired till it arrives or is a dead letter.

    Run as many as you like, on as many machines: each delivery is leased to one of them.

    \b
    Examples:
      tocsin notifier --workers 2
      TOCSIN_DATABASE_URL=postgresql://tocsin@db/tocsin tocsin notifier
    """
    _run_workers(application, "notifier", workers, worker, listen=False, notify=True)


@click.command()
@click.option("--host", metavar="ADDRESS", help="The address to listen on, as api.host.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="PORT", help="The port, as api.port."
)
@click.option(
    "--auth", type=click.Choice(WAYS), help="How callers show who they are, as api.auth."
)
@_pass
def api(application: Application, host: str | None, port: int | None, auth: str | None) -> None:
    """Serve the REST API: Aodh's at /v2, ours at /v1.

    Its description is at /docs.

    `tocsin run` serves it as well. Run as many as you like against the same database.

    \b
    Examples:
      tocsin api
      tocsin api --host 0.0.0.0 --port 8042 --auth token
    """
    given = {"host": host, "port": port, "auth": auth}
    application.use_api({name: value for name, value in given.items() if value is not None})
    _run(application, listen=False, notify=False, serve=True)


def _run_workers(
    application: Application,
    name: str,
    workers: int | None,
    worker: int | None,
    *,
    listen: bool,
    notify: bool,
) -> None:
    """Be the parent of workers, one of them, or the only process."""
    if workers is not None and workers > 1:
        config_path = click.get_current_context().find_root().params["config_path"]
        command = partial(_worker_command, name, config_path)
        supervisor = application.supervisor(command, workers, listen=listen)
        raise click.exceptions.Exit(supervisor.run())
    application.worker_number = worker
    _run(application, listen=listen, notify=notify)


def _worker_command(
    name: str, config_path: str | None, number: int
) -> tuple[Sequence[str], Mapping[str, str]]:
    """The command line and the environment of a worker."""
    config = ["--config", config_path] if config_path else []
    command = [sys.executable, "-m", "pipeline", *config, name, "--worker", str(number)]
    # A port can be had by one process only.
    http = {"TOCSIN_HTTP_ENABLED": "false"} if number > 1 else {}
    return command, {**os.environ, **http}


def _run(application: Application, *, listen: bool, notify: bool, serve: bool = False) -> None:
    # Until the process runs, and takes signals itself, there is nothing in hand to finish, and
    # nothing to reload: a file that changes meanwhile is noticed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = application.process(listen=listen, notify=notify, serve=serve)
    if application.worker_number is not None:
        when_parent_ends(process.stop)
    raise click.exceptions.Exit(process.run())
