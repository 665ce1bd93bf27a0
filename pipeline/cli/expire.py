"""`tocsin expire`: a round of removing what is too old, now."""

from __future__ import annotations

from collections import Counter

import click

from pipeline.cli.base import Application, pass_local
from pipeline.cli.output import Output, output_options
from pipeline.store.retention import Kept

_COLUMNS = ("what", "removed")
_PLANNED_COLUMNS = ("what", "too_old")


@click.command()
@click.option(
    "--what",
    type=click.Choice([kept.value for kept in Kept]),
    multiple=True,
    help="Only this; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only count what would be removed.")
@output_options
@pass_local
def expire(app: Application, output: Output, what: tuple[str, ...], dry_run: bool) -> None:
    """Remove what is older than the settings retention.* say.

    Listeners and notifiers do the same by themselves, every retention.every_minutes and with
    rests; this does not rest. It removes in small portions, and may be interrupted. Pending
    deliveries are never removed.

    \b
    Examples:
      tocsin expire --dry-run
      TOCSIN_RETENTION_DEAD_LETTERS_DAYS=30 tocsin expire --what dead_letters
    """
    wanted = [Kept(name) for name in dict.fromkeys(what)] or list(Kept)
    pruner = app.pruner()
    if dry_run:
        counts = pruner.removable(wanted)
        output.rows(_PLANNED_COLUMNS, [(kept.value, counts[kept]) for kept in wanted])
        return
    removed = Counter[Kept]()
    for kept, count in pruner.removing(wanted):
        removed[kept] += count
    output.rows(_COLUMNS, [(kept.value, removed[kept]) for kept in wanted])
