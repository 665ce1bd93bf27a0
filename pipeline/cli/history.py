"""`tocsin history`: what people changed, and who did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from pipeline.cli import times
from pipeline.cli.base import pass_desk
from pipeline.cli.output import Output, Shown, output_options
from pipeline.desk import Desk, Document

_COLUMNS = ("timestamp", "user_id", "project_id", "action", "kind", "name", "changed")


@click.command()
@click.option("--kind", metavar="KIND", help="Only target, group, filter, matcher, token, …")
@click.option("--name", metavar="NAME", help="Only what was done to what has this name.")
@click.option(
    "--since",
    type=times.MOMENT,
    metavar="TIME",
    help="Only from that time on: 7d ago, or 2026-01-02T12:00:00Z.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@output_options
@pass_desk
def history(
    desk: Desk,
    output: Output,
    kind: str | None,
    name: str | None,
    since: datetime | None,
    limit: int,
) -> None:
    """List what people changed, and who did it.

    The newest first; secrets as ***. Alarms have histories of their own: `tocsin alarm history`.

    \b
    Examples:
      tocsin history
      tocsin history --kind target --name mail-to-root
      tocsin history --since 7d -f json
    """
    found = desk.history.changes(kind, name, since, limit)
    output.rows(_COLUMNS, [_row(change) for change in found.items])


def _row(change: Document) -> list[Any]:
    changed = change["changed"]
    text = "\n".join(f"{name}: {_said(pair)}" for name, pair in changed.items())
    return [*(change[name] for name in _COLUMNS[:-1]), Shown(changed, text)]


def _said(pair: Mapping[str, Any]) -> str:
    before, after = pair["before"], pair["after"]
    if before is None:
        return _text(after)
    return f"{_text(before)} → {_text(after) if after is not None else 'unset'}"


def _text(value: Any) -> str:
    match value:
        case list():
            return ", ".join(map(str, value)) or "none"
        case Mapping():
            return ", ".join(f"{name}={each}" for name, each in value.items())
        case _:
            return str(value)
