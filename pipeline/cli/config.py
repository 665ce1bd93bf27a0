"""`tocsin check` and `tocsin config show`: what is configured, and whether it can be used."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import settings
from pipeline.app import Application
from pipeline.check import check as check_files
from pipeline.cli.base import EXIT_USAGE, pass_application
from pipeline.cli.output import Output, output_options


@click.command()
@click.option(
    "--alarms",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Check this file of alarms too.",
)
@pass_application
def check(application: Application, alarms: Path | None) -> None:
    """Check settings, event definitions and pipelines.

    Says what was found in each file, and every problem of all of them at once, with file, line,
    column and how to mend it. Opens no database and no connection. Exits 0 if all can be used,
    else 2.

    \b
    Examples:
      tocsin check
      tocsin --config /etc/tocsin/tocsin.yaml check --alarms alarms.yaml
    """
    report = check_files(application.loaded, alarms)
    for line in report.found:
        click.echo(line)
    for problem in report.problems:
        click.echo(str(problem), err=True)
    if report.problems:
        raise click.exceptions.Exit(EXIT_USAGE)


@click.group()
def config() -> None:
    """The settings in force."""


@config.command()
@output_options
@pass_application
def show(application: Application, output: Output) -> None:
    """Show every setting, its value, and where that came from.

    A secret is shown as ***.

    \b
    Examples:
      tocsin config show
      tocsin config show -f value -c key -c value
    """
    output.rows(("key", "value", "origin"), settings.show(application.loaded))
