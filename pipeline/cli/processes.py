"""`tocsin run`, `listener` and `notifier`: the processes that do the work."""

from __future__ import annotations

import signal
import sys

import click

from pipeline.app import Application

_pass = click.make_pass_decorator(Application)


@click.command()
@_pass
def run(application: Application) -> None:
    """Run everything in one process: listeners, alarms and notifier.

    With the default settings that needs no server: events are taken over HTTP, and the database is
    a SQLite file. SIGTERM or Ctrl-C finishes what is in hand and ends; a second one ends at once.

    \b
    Examples:
      tocsin run
      TOCSIN_RABBITMQ_URLS=amqp://guest:guest@localhost:5672/%2F tocsin run
    """
    _run(application, listen=True, notify=True)


@click.command()
@_pass
def listener(application: Application) -> None:
    """Listen: take events in, match them against the alarms, write down what fires.

    Run as many as you like, on as many machines: RabbitMQ shares the events out among them.

    \b
    Example:
      TOCSIN_DATABASE_URL=postgresql://tocsin@db/tocsin \\
      TOCSIN_RABBITMQ_URLS=amqp://tocsin:secret@rabbit/%2F tocsin listener
    """
    _run(application, listen=True, notify=False)


@click.command()
@_pass
def notifier(application: Application) -> None:
    """Notify: deliver what has fired, again and again until it arrives or is a dead letter.

    Run as many as you like, on as many machines: each delivery is leased to one of them.

    \b
    Example:
      TOCSIN_DATABASE_URL=postgresql://tocsin@db/tocsin tocsin notifier
    """
    _run(application, listen=False, notify=True)


def _run(application: Application, *, listen: bool, notify: bool) -> None:
    # Until the process runs, and takes signals itself, there is nothing in hand to finish, and
    # nothing to reload: a file that changes meanwhile is noticed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = application.process(listen=listen, notify=notify)
    raise click.exceptions.Exit(process.run())
