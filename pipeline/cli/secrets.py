"""`tocsin secrets`: the keys that targets' secrets are encrypted with, looked at and changed."""

from __future__ import annotations

import click

from pipeline.cli.base import EXIT_FAILED, Application, pass_local
from pipeline.errors import InvalidValue
from pipeline.secrets import report
from pipeline.secrets.rotation import Resealed, drop_old, prepare
from pipeline.secrets.rotation import rotate as rotate_keys


@click.group()
def secrets() -> None:
    """Check and change the keys that secrets are kept with.

    The keys are in a file beside the SQLite database, or where secrets.key_file says. Processes on
    several machines need the same file.
    """


@secrets.command()
@pass_local
def check(app: Application) -> None:
    """Say whether this machine can open the secrets of every target.

    Exits 1 if it cannot open one. Shows no secret.

    \b
    Example:
      tocsin secrets check
    """
    sealer = app.sealer
    keys = sealer.file.keys()
    found = report(app.store.sealed_secrets(), sealer)
    if keys is None:
        click.echo(f"{sealer.file.path}: not there yet; it is made for the first secret")
    else:
        prepared = f", {len(keys.prepared)} prepared" if keys.prepared else ""
        click.echo(f"{sealer.file.path}: 1 key in use, {len(keys.old)} old{prepared}")
    click.echo(f"{_targets(len(found.current))} sealed with the key in use")
    if found.old:
        click.echo(f"{_targets(len(found.old))} sealed with an old key: tocsin secrets rotate")
    for name, reason in found.unreadable.items():
        click.echo(f"target {name}: {reason}.", err=True)
    if found.unreadable:
        raise click.exceptions.Exit(EXIT_FAILED)


@secrets.command()
@click.option(
    "--prepare",
    "only_prepare",
    is_flag=True,
    help="Only add the new key to the file. Copy it to all machines, then rotate.",
)
@click.option(
    "--drop-old",
    "dropping",
    is_flag=True,
    help="Take the old keys out of the file, once all machines have the new one.",
)
@click.option("--lost", is_flag=True, help="The key file is lost for good: begin a new one.")
@pass_local
def rotate(app: Application, only_prepare: bool, dropping: bool, lost: bool) -> None:
    """Encrypt the secrets of all targets with a new key.

    Old keys stay in the file until --drop-old, so that backups and other machines can still be
    read. It may be interrupted at any time and begun again.

    \b
    Examples:
      tocsin secrets rotate                 # on one machine, then:
      tocsin secrets rotate --drop-old
      tocsin secrets rotate --prepare       # on several: copy the file, then the two above
    """
    if only_prepare + dropping + lost > 1:
        raise InvalidValue("--prepare, --drop-old and --lost are steps of their own: give one.")
    path = app.sealer.file.path
    if only_prepare:
        prepare(app.sealer, app.store)
        click.echo(f"{path}: a new key is prepared. Copy the file to all machines, then rotate.")
    elif dropping:
        count = drop_old(app.sealer, app.store)
        click.echo(f"{path}: {count} old {'key' if count == 1 else 'keys'} dropped.")
    else:
        _tell(rotate_keys(app.sealer, app.store, lost=lost))


def _tell(resealed: Resealed) -> None:
    click.echo(f"{_targets(resealed.count)} sealed with the new key.")
    if resealed.unreadable:
        names = ", ".join(resealed.unreadable)
        click.echo(f"These cannot be opened: {names}. Give their secrets again.", err=True)
        raise click.exceptions.Exit(EXIT_FAILED)


def _targets(count: int) -> str:
    return f"{count} {'target' if count == 1 else 'targets'}"
