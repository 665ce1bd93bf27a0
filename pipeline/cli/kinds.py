"""`tocsin kind`: the kinds of notifications, and what is guaranteed of each."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli import completion
from pipeline.cli.base import Application, pass_application
from pipeline.cli.output import Output, Shown, output_options
from pipeline.kinds import Kind

_COLUMNS = ("id", "severity", "policy", "target", "description")


@click.group()
def kind() -> None:
    """Look at the kinds of notifications and their fields.

    The policy says whether matchers see a kind: always, auto (only from severity error on) or
    never. The file of the setting kinds.file registers others, and changes these.
    """


@kind.command("list")
@output_options
@pass_application
def list_(app: Application, output: Output) -> None:
    """List all kinds, those of your own last.

    \b
    Example:
      tocsin kind list -c id -c policy
    """
    kinds = sorted(app.kinds, key=lambda kind: not kind.builtin)
    output.rows(
        _COLUMNS, [(k.id, k.severity, k.policy.value, k.target, k.description) for k in kinds]
    )


@kind.command()
@click.argument("id", metavar="KIND", shell_complete=completion.kinds)
@output_options
@pass_application
def show(app: Application, output: Output, id: str) -> None:
    """Show one kind with its fields.

    Those in brackets may be left out.

    \b
    Example:
      tocsin kind show certificate-expiry
    """
    output.one(_details(app.kinds.find(id)))


def _details(kind: Kind) -> dict[str, Any]:
    return {
        "id": kind.id,
        "description": kind.description,
        "severity": kind.severity,
        "policy": kind.policy.value,
        "target": kind.target,
        "template": kind.template_name,
        "fields": Shown(_fields(kind), "\n".join(map(_line, _fields(kind)))),
        "other_fields": kind.extra_fields,
        "builtin": kind.builtin,
    }


def _fields(kind: Kind) -> list[dict[str, Any]]:
    return [
        {"name": n, "type": f.type, "required": f.required, "description": f.description}
        for n, f in kind.fields.items()
    ]


def _line(field: dict[str, Any]) -> str:
    name = field["name"] if field["required"] else f"[{field['name']}]"
    described = f": {field['description']}" if field["description"] else ""
    return f"{name} ({field['type']}){described}"
