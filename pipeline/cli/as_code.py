"""`tocsin apply` and `tocsin export`: alarms, targets and all that leads to them as YAML files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.as_code import texts
from pipeline.as_code.items import LISTS
from pipeline.cli.base import pass_desk
from pipeline.desk import Desk, Document
from pipeline.errors import InvalidValue
from pipeline.past import Content

EXIT_DIFFERENT = 3
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_WORDS = {"create": "created", "change": "changed", "delete": "deleted"}


@click.command()
@click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE|DIR",
    help="A YAML file, or a folder with some. May be given several times.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only show what would change; exits 3 if anything would.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Delete what an earlier apply of the same set brought and the files have no more.",
)
@click.option(
    "--set",
    "owner",
    default="default",
    show_default=True,
    metavar="NAME",
    help="The name of this set of files, for --prune: each keeps to its own.",
)
@pass_desk
def apply(desk: Desk, paths: Sequence[Path], dry_run: bool, prune: bool, owner: str) -> None:
    """Make everything as YAML files say, all of it or nothing.

    The files have lists of alarms, targets, groups, filters and matchers. Shows what changes as a
    diff, secrets as ***. A second time it changes nothing.

    \b
    Examples:
      tocsin apply -f tocsin.d --dry-run
      tocsin apply -f tocsin.d --prune
      tocsin export | tocsin apply -f /dev/stdin
    """
    files = [Content(name, text) for name, text in texts(paths)]
    show(desk.as_code.apply(files, owner=owner, prune=prune, dry_run=dry_run), dry_run=dry_run)


@click.command()
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(),
    metavar="FILE|DIR",
    help="Write there; into a folder a file for each list. Otherwise to standard output.",
)
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Secrets as they are, in place of ***. Files are made readable to you alone.",
)
@pass_desk
def export(desk: Desk, target: str | None, with_secrets: bool) -> None:
    """Write alarms, targets and all else as YAML files.

    `tocsin apply` makes the same of it. Secrets are *** and stay as they are where it is applied
    to the same database; another one needs them written in.

    \b
    Examples:
      tocsin export > tocsin.yaml
      tocsin export -o tocsin.d/
      tocsin export --with-secrets -o backup.yaml
    """
    found = desk.as_code.export(with_secrets=with_secrets)
    if target is None:
        click.echo("\n".join(found.values()), nl=False)
    elif target.endswith("/") or Path(target).is_dir():
        for name in LISTS:  # of what is gone no file of an earlier export is to stay
            path = Path(target, f"{name}.yaml")
            if name in found or path.exists():
                _write(path, found.get(name, f"{name}: []\n"), with_secrets)
    else:
        _write(Path(target), "\n".join(found.values()), with_secrets)


def show(applied: Document, *, dry_run: bool) -> None:
    """Show what was done, or would be. Exits 3 where it would change anything."""
    for change in applied["changes"]:
        for line in change["diff"]:
            bold = line[:3] in ("+++", "---")
            click.echo(click.style(line, fg=_COLOURS.get(line[:1]), bold=bold))
    counts = Counter(change["change"] for change in applied["changes"])
    said = [
        f"{counts[word]} to {word}" if dry_run else f"{counts[word]} {done}"
        for word, done in _WORDS.items()
    ]
    click.echo(f"{', '.join(said)}, {applied['unchanged']} unchanged.")
    if dry_run and applied["changes"]:
        raise click.exceptions.Exit(EXIT_DIFFERENT)


def _write(path: Path, text: str, private: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            path.touch(mode=0o600, exist_ok=True)
            path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidValue(f"{path} cannot be written: {error.strerror}") from error
