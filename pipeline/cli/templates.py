"""`tocsin template`: where a notification's words come from, and how they look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from pipeline.cli import completion
from pipeline.cli.base import EXIT_FAILED, Application, fail, pass_application
from pipeline.cli.output import Output, output_options
from pipeline.errors import InvalidValue
from pipeline.kinds import Kind
from pipeline.notification import ALARM_REPEAT, ALARM_TRANSITION, Notification, Occurrence
from pipeline.past import reference
from pipeline.severity import WORDS, checked
from pipeline.templates import Rendered, Templates

FORMATS = ("text", "html", "markdown", "subject")
_COLUMNS = ("kind", "subject", "text", "html", "markdown")
_EXAMPLE_ID = "00000000-0000-0000-0000-000000000000"


@click.group()
def template() -> None:
    """Look at the templates that put notifications into words.

    Your own are in the directory of the setting templates.directory, and go before the shipped
    ones.
    """


@template.command("list")
@output_options
@pass_application
def list_(app: Application, output: Output) -> None:
    """List where each kind's words come from.

    \b
    Example:
      tocsin template list
    """
    rows = []
    for kind in app.kinds:
        sources = app.templates.sources(kind)
        named = (f"{source.owner}: {source.file}" for source in sources.values())
        rows.append((kind.id, *(_short(name) for name in named)))
    output.rows(_COLUMNS, rows)


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
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="In which form.",
)
@pass_application
def preview(
    app: Application,
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
    kind = app.kinds.find(kind_id)
    if event is not None:
        notification = _of_past(app, kind, event, alarm)
    else:
        notification = _example(app, kind, given_fields(fields))
    if severity is not None:
        notification = Notification(
            notification.notification_id,
            checked(severity),
            notification.created_at,
            notification.subject,
        )
    # Without a log: what fails is told here.
    rendered = Templates(app.settings.templates, app.kinds).render(notification)
    click.echo(_shown(rendered, format))
    if rendered.failures:
        # A title that fails is told of again by each body that shows it.
        told = dict.fromkeys(f"Passed over: {each}" for each in rendered.failures)
        fail("\n".join(told), EXIT_FAILED)


def given_fields(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`, as often as it was given, by name. Raises `InvalidValue`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidValue(f"--field {text!r} is not NAME=VALUE. Write --field host=db-1.")
        found[name.strip()] = value
    return found


def _of_past(app: Application, kind: Kind, given: str, alarm: str | None) -> Notification:
    past = app.past()
    asked = app.store.find(alarm) if alarm is not None else None
    found = past.notification(reference(given), asked, again=kind.id == ALARM_REPEAT)
    if found.kind == kind.id:
        return found
    if found.alarm and found.kind in (ALARM_TRANSITION, ALARM_REPEAT):
        raise InvalidValue(
            f"an event is told of by {ALARM_TRANSITION} and {ALARM_REPEAT}. "
            f"For {kind.id} give --field."
        )
    raise InvalidValue(f"what was told there is of kind {found.kind}, not {kind.id}.")


def _example(app: Application, kind: Kind, texts: Mapping[str, str]) -> Notification:
    values = {**kind.example_fields, **kind.read_some(texts)}
    return Notification(_EXAMPLE_ID, kind.severity, app.clock(), Occurrence(kind.id, values))


def _shown(rendered: Rendered, format: str) -> str:
    match format:
        case "subject":
            return rendered.title
        case "html":
            return rendered.html
        case "markdown":
            return f"# {rendered.title}\n\n{rendered.markdown}"
        case _:
            return f"{rendered.title}\n\n{rendered.text}"


def _short(name: str) -> str:
    owner, _, file = name.partition(": ")
    return owner if owner == "shipped" else file
