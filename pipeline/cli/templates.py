"""`tocsin template`: where a notification's words come from, and how they look."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pipeline.cli import completion
from pipeline.cli.base import EXIT_FAILED, fail, pass_desk
from pipeline.cli.output import Output, output_options
from pipeline.desk import Desk, Document
from pipeline.desk.told import PREVIEW_FORMATS
from pipeline.errors import InvalidValue
from pipeline.past import reference
from pipeline.severity import WORDS

_COLUMNS = ("kind", "subject", "text", "html", "markdown")


@click.group()
def template() -> None:
    """Look at the templates that put notifications into words.

    Your own are in the directory of the setting templates.directory, and go before the shipped
    ones.
    """


@template.command("list")
@output_options
@pass_desk
def list_(desk: Desk, output: Output) -> None:
    """List where each kind's words come from.

    \b
    Example:
      tocsin template list
    """
    sources = desk.notifications.templates()
    output.rows(_COLUMNS, [[each[name] for name in _COLUMNS] for each in sources])


@template.command()
@click.argument("kind_id", metavar="KIND", shell_complete=completion.kinds)
@click.option(
    "--event",
    metavar="FILE|ID",
    shell_complete=completion.events,
    help="What to tell of: a file with a captured or normalised event, the message id of an event"
    " in the archive, or the id of a delivery. Without it, an example.",
)
@click.option(
    "--alarm",
    metavar="ALARM",
    shell_complete=completion.alarms,
    help="The alarm that the event fires: its id or name.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=VALUE",
    help="A field, in place of the example's. May be given several times.",
)
@click.option("--severity", type=click.Choice(WORDS), help="How severe it is.")
@click.option(
    "-f",
    "--format",
    "format",
    type=click.Choice(PREVIEW_FORMATS),
    default="text",
    show_default=True,
    help="In which form.",
)
@pass_desk
def preview(
    desk: Desk,
    kind_id: str,
    event: str | None,
    alarm: str | None,
    fields: Sequence[str],
    severity: str | None,
    format: str,
) -> None:
    """Show what a notification of a kind says, without telling anybody.

    A template that fails is told on standard error, and the next one is shown in its place, as it
    would be sent. Exits 0 if none failed, else 1.

    \b
    Examples:
      tocsin template preview alarm-transition
      tocsin template preview alarm-transition --event captured.jsonl --format html > mail.html
      tocsin template preview alarm-transition --event 4fd53957 --alarm "user deleted"
      tocsin template preview maintenance --field "summary=New switches" --format markdown
    """
    found = desk.notifications.preview(
        kind_id,
        format,
        of=reference(event) if event is not None else None,
        alarm=alarm,
        fields=given_fields(fields),
        severity=severity,
    )
    click.echo(_shown(found, format))
    if found["failures"]:
        fail("\n".join(f"Passed over: {each}" for each in found["failures"]), EXIT_FAILED)


def given_fields(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`, as often as it was given, by name. Raises `InvalidValue`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidValue(f"--field {text!r} is not NAME=VALUE. Write --field host=db-1.")
        found[name.strip()] = value
    return found


def _shown(found: Document, format: str) -> str:
    title, body = str(found["title"]), str(found["body"])
    match format:
        case "subject":
            return title
        case "html":
            return body
        case "markdown":
            return f"# {title}\n\n{body}"
        case _:
            return f"{title}\n\n{body}"
