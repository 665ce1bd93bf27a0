"""`tocsin kind`: the kinds of notifications, and what is guaranteed of each."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import completion
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk

_COLUMNS = ("id", "severity", "policy", "target", "description")


@click.group()
def kind() -> None:
    """Look at the kinds of notifications and their fields.

    The policy says whether matchers see a kind: always, auto (only from severity error on) or
    never. The file of the setting kinds.file registers others, and changes these.
    """


@kind.command("list")
@output_options
@pass_desk
def list_(desk: Desk, output: Output) -> None:
    """List all kinds, those of your own last.

    \b
    Example:
      tocsin kind list -c id -c policy
    """
    kinds = desk.notifications.kinds()
    output.rows(_COLUMNS, [[each[name] for name in _COLUMNS] for each in kinds])


@kind.command()
@click.argument("id", metavar="KIND", shell_complete=completion.kinds)
@output_options
@pass_desk
def show(desk: Desk, output: Output, id: str) -> None:
    """Show one kind with its fields.

    Those in brackets may be left out.

    \b
    Example:
      tocsin kind show certificate-expiry
    """
    found = desk.notifications.kind(id)
    lines = "\n".join(map(_line, found["fields"]))
    output.one({**found, "fields": Shown(found["fields"], lines)})


def _line(field: dict[str, Any]) -> str:
    name = field["name"] if field["required"] else f"[{field['name']}]"
    described = f": {field['description']}" if field["description"] else ""
    return f"{name} ({field['type']}){described}"
