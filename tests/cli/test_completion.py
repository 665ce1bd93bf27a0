"""The shell completes alarms and ids from the store; every command's help has examples."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from pipeline.access.settings import ClientSettings
from pipeline.cli.alarms import alarm
from pipeline.cli.archive import event
from pipeline.cli.completion import completion
from pipeline.cli.dead_letters import dead_letter
from pipeline.cli.deliveries import delivery
from pipeline.cli.groups import group
from pipeline.cli.main import root
from pipeline.cli.matchers import matcher
from pipeline.cli.rejected import rejected
from pipeline.cli.send import send
from pipeline.cli.targets import target
from pipeline.cli.templates import template
from pipeline.dispatch import FilterEntry, TargetEntry
from pipeline.errors import StoreUnavailable
from pipeline.remote import Connection, RemoteDesk
from pipeline.store.database import Database
from pipeline.store.routing import Create
from pipeline.store.sql import SqlStore

from builders import a_transition, an_alarm, an_event
from cli.application import At, Tocsin

COMMANDS = (
    alarm,
    delivery,
    dead_letter,
    rejected,
    event,
    target,
    group,
    matcher,
    send,
    template,
    completion,
)


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    for alarm_id, name in [("a1-id", "user deleted"), ("b2-id", "user locked"), ("c3-id", "disk")]:
        store.create(an_alarm(alarm_id=alarm_id, name=name, description=f"of {name}"))
    return Tocsin(store, *COMMANDS, at=at)


def completed(tocsin: Tocsin, *words: str) -> list[str]:
    """What the shell offers for the last of the words."""
    shell = ShellComplete(tocsin.root, {"obj": tocsin.application}, "tocsin", "_TOCSIN_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("alarm", "show", "us"), ["user deleted", "user locked"]),
        (("alarm", "show", ""), ["disk", "user deleted", "user locked"]),
        (("alarm", "update", "b"), ["b2-id"]),
        (("alarm", "state", "set", "--name", "d"), ["disk"]),
        (("delivery", "list", "--alarm", "user l"), ["user locked"]),
        (("alarm", "show", "nothing"), []),
        (("alarm", "cre"), ["create"]),
        (("alarm", "create", "--severity", "c"), ["critical"]),
        (("alarm", "list", "-f", "y"), ["yaml"]),
        (("dead-letter", "re"), ["replay"]),
    ],
)
def test_what_is_offered(tocsin: Tocsin, words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(tocsin, *words) == offered


def test_events_and_their_types_are_offered(tocsin: Tocsin, store: SqlStore) -> None:
    store.keep_events([an_event(event_type="a.b", message_id="m-1")])

    assert completed(tocsin, "event", "show", "m") == ["m-1"]
    assert completed(tocsin, "event", "list", "--type", "a") == ["a.b"]


def test_deliveries_are_offered(tocsin: Tocsin, store: SqlStore) -> None:
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(store.get("a1-id"))])
    ids = [one.delivery_id for one in store.deliveries()]
    assert completed(tocsin, "delivery", "show", "") == ids
    assert completed(tocsin, "dead-letter", "show", "") == []


def test_entries_types_and_options_are_offered(tocsin: Tocsin, store: SqlStore) -> None:
    entries = [TargetEntry("hook", "aodh", {"url": "https://r/"}), FilterEntry("urgent", "error")]
    store.change_entries([Create(entry) for entry in entries])

    assert completed(tocsin, "target", "show", "") == ["hook", "mail-to-root"]
    assert completed(tocsin, "group", "create", "g1", "--target", "h") == ["hook"]
    assert completed(tocsin, "target", "update", "hook", "--filter", "") == ["urgent"]
    assert completed(tocsin, "target", "create", "t1", "--type", "ao") == ["aodh"]
    assert completed(tocsin, "target", "create", "t1", "--type", "aodh", "--set", "u") == ["url="]
    assert completed(tocsin, "target", "update", "hook", "--set", "u") == ["url="]
    assert completed(tocsin, "target", "create", "t1", "--type", "no", "--set", "u") == []


def test_rules_on_fields_are_offered_as_they_were_seen(tocsin: Tocsin, store: SqlStore) -> None:
    """notifications 13."""
    store.keep_events([an_event(message_id=f"m-{n}", host=host) for n, host in enumerate("aabc")])
    create = ("matcher", "create", "m1", "--match-field")

    assert completed(tocsin, *create, "") == ["exact:", "regex:"]
    assert completed(tocsin, *create, "regex:traits.") == ["regex:traits.host="]
    assert completed(tocsin, *create, "exact:hos") == ["exact:host="]
    assert completed(tocsin, *create, "exact:host=") == [f"exact:host={n}" for n in "abc"]
    assert completed(tocsin, *create, "exact:host=a,") == [f"exact:host=a,{n}" for n in "abc"]
    assert completed(tocsin, *create, "exact:severity=cr") == ["exact:severity=critical"]


def test_kinds_and_receivers_are_offered(tocsin: Tocsin, store: SqlStore) -> None:
    store.change_entries([Create(TargetEntry("mail-ops", "log"))])

    assert completed(tocsin, "send", "me") == ["message"]
    assert completed(tocsin, "template", "preview", "alarm") == [
        "alarm-transition",
        "alarm-repeat",
    ]
    assert completed(tocsin, "send", "message", "--target", "mail-o") == ["mail-ops"]


WAYS_TO_IDS = [
    ("alarm", "show", ""),
    ("delivery", "show", ""),
    ("dead-letter", "show", ""),
    ("rejected", "show", ""),
    ("event", "show", ""),
    ("event", "list", "--type", ""),
    ("target", "show", ""),
    ("target", "update", "hook", "--set", ""),
]


@pytest.mark.parametrize("words", WAYS_TO_IDS)
def test_a_database_that_is_away_offers_nothing(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(Database, "read", away)
    monkeypatch.setattr(Database, "stream", away)
    assert completed(tocsin, *words) == []


@pytest.mark.parametrize("words", WAYS_TO_IDS)
def test_a_server_that_is_away_offers_nothing(store: SqlStore, words: tuple[str, ...]) -> None:
    tocsin = Tocsin(store, *COMMANDS)
    tocsin.application.desk = RemoteDesk(Connection(ClientSettings(server="http://127.0.0.1:9")))
    assert completed(tocsin, *words) == []


def test_the_server_that_the_line_names_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While a shell completes, click does not invoke the root that would make the application."""
    monkeypatch.chdir(tmp_path)
    for away in (("--server", "http://127.0.0.1:9"), ("--server", "x", "--token", "@none")):
        shell = ShellComplete(root, {}, "tocsin", "_TOCSIN_COMPLETE")
        assert shell.get_completions([*away, "alarm", "show"], "") == []
    assert list(tmp_path.iterdir()) == [], "no database was made"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_printed(tocsin: Tocsin, shell: str) -> None:
    script = tocsin("completion", shell)
    assert f"_TOCSIN_COMPLETE={shell}_complete" in script


def test_the_script_is_one_that_bash_reads(tocsin: Tocsin) -> None:
    script = tocsin("completion", "bash")
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of every command that is no group."""
    path = (*path, str(command.name))
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from leaves(inner, *path)
    else:
        yield path


@pytest.mark.parametrize("path", [path for command in COMMANDS for path in leaves(command)])
def test_every_commands_help_has_an_example_of_it(store: SqlStore, path: tuple[str, ...]) -> None:
    tocsin = Tocsin(store, *COMMANDS)
    result = CliRunner().invoke(tocsin.root, [*path, "--help"])
    assert "Example" in result.output
    assert f"tocsin {' '.join(path)}" in result.output.partition("Example")[2]
