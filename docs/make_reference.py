"""Writes docs/reference.md from the code: `make docs`. A test holds the page against the code."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import click
from marshmallow import Schema

from pipeline import registry, settings, targets
from pipeline.alarms.conditions import OPERATORS, TYPES
from pipeline.cli.main import root
from pipeline.kinds import BUILTIN
from pipeline.option_sources import DEFAULT
from pipeline.targets.options import HttpSchema, is_secret

PAGE = Path(__file__).parent / "reference.md"
_HEAD = """\
# Reference

Made from the code by `make docs`; do not edit.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = (_commands(), _settings(), _conditions(), _targets(), _kinds(), _plugins())
    return "\n".join([_HEAD, *(line for part in parts for line in part)])


def _commands() -> Iterator[str]:
    yield from ("## Commands", "", "`tocsin COMMAND --help` says more, with examples.", "")
    yield from _table("command", "what it does", _each_command(root, "tocsin"))


def _each_command(group: click.Group, path: str) -> Iterator[tuple[str, str]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _each_command(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command.get_short_help_str(limit=200)


def _settings() -> Iterator[str]:
    yield from (
        "## Settings",
        "",
        "In `tocsin.yaml` the part before the dot is a section; every setting `a.b` is also the "
        "environment variable `TOCSIN_A_B`, which goes before the file. The file is the one named "
        "by `--config`, else by `TOCSIN_CONFIG`, else the first of `./tocsin.yaml`, "
        "`~/.config/tocsin/tocsin.yaml` and `/etc/tocsin/tocsin.yaml`. "
        "`tocsin config show` says what is in force and where it came from.",
        "",
    )
    defaults = settings.Settings()
    for name, section in settings.sections().items():
        rows = [
            (
                f"{name}.{each.name}",
                f"{each.metadata['help']} {_default(defaults, name, each.name)}",
            )
            for each in fields(section)
        ]
        yield from _table("setting", "what it does", rows)


def _default(defaults: settings.Settings, section: str, name: str) -> str:
    value = getattr(getattr(defaults, section), name)
    return f"{DEFAULT.capitalize()}: {json.dumps(value)}." if value not in (None, "") else ""


def _conditions() -> Iterator[str]:
    yield from (
        "## Conditions of an alarm's query",
        "",
        "A condition `{field, op, type, value}` is about a trait (`traits.NAME`) or about "
        "`event_type`, `message_id`, `generated` or `raw.…`. With any operator, a condition on "
        "something that is absent, null or of another kind than its type does not hold.",
        "",
    )
    meanings = [(name, f"{each.symbol}: {each.meaning}") for name, each in OPERATORS.items()]
    yield from _table("operator", "holds when the value is", meanings)
    kinds = [(name or "''", f"compared as {each.kind.name}") for name, each in TYPES.items()]
    yield from _table("type", "", kinds)


def _targets() -> Iterator[str]:
    yield from (
        "## Types of targets",
        "",
        "[targets.md](targets.md) says which is for what. An option marked *needed* must be "
        "given; one marked *secret* is kept encrypted and never shown. `HTTP` stands for those "
        "that every target over HTTP has: "
        f"{', '.join(_target_options(HttpSchema))}.",
        "",
    )
    rows = [(type, _options_in_words(targets.of_type(type).schema)) for type in targets.types()]
    yield from _table("type", "options", rows)


def _options_in_words(schema: type[Schema]) -> str:
    common = set(HttpSchema().fields) if issubclass(schema, HttpSchema) else set()
    own = list(_target_options(schema, common))
    return ", ".join(own + (["HTTP"] if common else [])) or "none"


def _target_options(schema: type[Schema], common: Collection[str] = ()) -> Iterator[str]:
    for name, option in schema().fields.items():
        if name not in common:
            marks = ["needed"] * option.required + ["secret"] * is_secret(option)
            yield f"`{option.data_key or name}`" + (f" (*{', '.join(marks)}*)" if marks else "")


def _kinds() -> Iterator[str]:
    yield from (
        "## Kinds of notifications",
        "",
        "Fields in brackets may be left out. [templates.md](templates.md) says how to register "
        "others.",
        "",
    )
    for kind in BUILTIN:
        others = "; others may come along" if kind.extra_fields else ""
        yield from (
            f"`{kind.id}` ({kind.severity}, policy {kind.policy}): {kind.description}",
            "",
        )
        rows = [
            (name if field.required else f"[{name}]", f"{field.type}: {field.description}")
            for name, field in kind.fields.items()
        ]
        yield from _table("field", f"what it is{others}", rows)


def _plugins() -> Iterator[str]:
    yield from (
        "## Plugins",
        "",
        "[publishers.md](publishers.md) has the options of each publisher's URL. Others are added "
        "by entry points of these groups.",
        "",
    )
    for group, form in (
        ("tocsin.trait_plugins", "{}"),
        ("tocsin.publishers", "{}://"),
        ("tocsin.targets", "{}"),
        ("tocsin.actions", "{}:"),
        ("tocsin.other_actions", "{}"),
    ):
        rows = [
            (form.format(name), _first_sentence(registry.find(group, name)))
            for name in registry.names(group)
        ]
        yield from _table(f"`{group}`", "", rows)


def _first_sentence(plugin: object) -> str:
    """What it is for; what follows is for who calls it."""
    line = (inspect.getdoc(plugin) or "").split("\n")[0]
    return line.removesuffix(" Safe from many threads.")


def _table(left: str, right: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {left} | {right} |", "| --- | --- |")
    for name, text in rows:
        escaped = " ".join(text.split()).replace("|", "\\|")
        yield f"| `{name}` | {escaped} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
