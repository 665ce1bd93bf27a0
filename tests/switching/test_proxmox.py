"""A notifications.cfg is carried over; what cannot be is listed with its reason."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.imports import import_
from pipeline.dispatch import FilterEntry, GroupEntry, MatcherEntry, TargetEntry
from pipeline.secrets import KeyFile, KeyFileSealer
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from cli.application import At, Tocsin


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PUBLIC = f"""\
# written by a person
sendmail: local
\tcomment mail on this machine
\tmailto ops@example.net
\tmailto second@example.net
\tmailto-user root@pam
\tfrom-address pve@example.net
\tauthor Proxmox on node1

smtp: relay
\tmode starttls
\tserver mail.example.net
\tport 2525
\tusername pve
\tmailto ops@example.net
\tfrom-address pve@example.net
\tdisable true

gotify: phone
\tserver https://gotify.example.net
\tfilter urgent

webhook: chat
\tmethod post
\turl https://chat.example.net/{{{{ secrets.channel }}}}
\theader name=Content-Type,value={b64("application/json")}
\theader name=Authorization,value={b64("Bearer {{ secrets.token }}")}
\tbody {b64('{"text": "{{ escape message }}"}')}
\tsecret name=channel
\tsecret name=token

group: all
\tendpoint phone
\tendpoint chat

filter: urgent
\tmin-severity error

matcher: default-matcher
\tmode all
\ttarget mail-to-root
\tinvert-match false
\tdisable true

matcher: nights
\tmatch-field exact:type=vzdump,replication
\tmatch-field regex:hostname=^node
\tmatch-severity warning,error
\tmatch-calendar mon-fri 9-17
\tmode any
\ttarget all
\ttarget local
"""
PRIVATE = f"""\
smtp: relay
\tpassword geheim zwei

gotify: phone
\ttoken geheim1

webhook: chat
\tsecret name=channel,value={b64("ops")}
\tsecret name=token,value={b64("geheim3==")}
"""


@pytest.fixture
def store(sqlite_url: str, tmp_path: Path) -> Iterator[SqlStore]:
    sealer = KeyFileSealer(KeyFile(tmp_path / "secrets.key"))
    with SqlStore.open(DatabaseSettings(url=sqlite_url), sealer=sealer) as store:
        yield store


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, import_, at=at)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "notifications.cfg").write_text(PUBLIC)
    (tmp_path / "private.cfg").write_text(PRIVATE)
    return [f"{tmp_path}/notifications.cfg", "--private", f"{tmp_path}/private.cfg"]


def entries(store: SqlStore) -> dict[str, Any]:
    return dict(store.present((), (), None).entries)


def test_everything_is_carried_over(tocsin: Tocsin, store: SqlStore, files: list[str]) -> None:
    shown = tocsin("import", "proxmox", *files)

    found = entries(store)
    local, relay, chat = found["local"], found["relay"], found["chat"]
    assert isinstance(local, TargetEntry)
    assert local.options == {
        "mailto": ["ops@example.net", "second@example.net"],
        "mailto_user": ["root@pam"],
        "from_address": "pve@example.net",
        "author": "Proxmox on node1",
    }
    assert (relay.options["mode"], relay.options["port"], relay.disable) == (
        "starttls",
        2525,
        True,
    )
    assert relay.secrets == {"password": "geheim zwei"}
    assert found["phone"].secrets == {"token": "geheim1"}
    assert found["phone"].filter == "urgent"
    assert chat.options == {
        "method": "post",
        "url": "https://chat.example.net/{{ secrets.channel }}",
        "header": {
            "Content-Type": "application/json",
            "Authorization": "Bearer {{ secrets.token }}",
        },
        "body": '{"text": "{{ message | escape }}"}',
    }
    assert chat.secrets == {"secret": {"channel": "ops", "token": "geheim3=="}}
    assert found["all"] == GroupEntry("all", ("phone", "chat"))
    assert found["urgent"] == FilterEntry("urgent", "error")
    assert found["nights"] == MatcherEntry(
        "nights",
        ("all", "local"),
        ("exact:type=vzdump,replication", "regex:hostname=^node"),
        ("warning", "error"),
        ("mon-fri 9-17",),
        "any",
    )
    assert found["default-matcher"].disable
    assert "geheim" not in shown


def test_second_import_changes_nothing(tocsin: Tocsin, store: SqlStore, files: list[str]) -> None:
    tocsin("import", "proxmox", *files)

    assert tocsin("import", "proxmox", *files).startswith("0 created, 0 changed, 0 deleted, 8 ")


def test_dry_run_brings_nothing(tocsin: Tocsin, store: SqlStore, files: list[str]) -> None:
    result = tocsin.run("import", "proxmox", *files, "--dry-run")

    assert result.exit_code == 3
    assert "7 to create, 1 to change" in result.stdout
    assert len(entries(store)) == 2


def test_what_needs_the_private_file_is_listed_and_so_is_what_leads_there(
    tocsin: Tocsin, store: SqlStore, files: list[str]
) -> None:
    result = tocsin.run("import", "proxmox", files[0])

    assert result.exit_code == 0
    said = result.stderr
    assert f"{files[0]}:19 gotify phone" in said
    assert "--private" in said
    assert "group all endpoint" in said or "group all" in said
    assert "phone is not carried over" in said
    assert set(entries(store)) >= {"local", "all", "urgent", "nights"}
    assert "phone" not in entries(store)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("matrix: a1\n\tserver x\n", ":1 matrix a1: there is no such type here"),
        ("\tserver x\n", ":1 server: a property without a section"),
        ("gotify phone\n", ":1: no section begins so"),
        ("sendmail: m1\n\tmailto a@b\n\tcolour red\n", ":3 sendmail m1 colour: is not carried"),
        ("webhook: w1\n\turl http://h\n\tbody %%\n", ":3 webhook w1 body: .*base64"),
        (
            f"webhook: w1\n\turl http://h\n\tbody {b64('{{#each fields}}{{/each}}')}\n",
            ":3 webhook w1 body: .*#each",
        ),
        ("webhook: w1\n\turl http://h\n\theader value=eA==\n", ":3 webhook w1 header: .*name="),
        ("matcher: m1\n\tmatch-field exact\n", ":2 matcher m1 match-field: not carried over"),
        ("filter: f1\n\tmin-severity loud\n", ":2 filter f1 min-severity: not carried over"),
        ("sendmail: m1\n\tmailto a@b\n\tfilter f9\n", ":3 sendmail m1 filter: the filter f9"),
    ],
)
def test_what_cannot_be_carried_over_is_listed_with_its_place(
    tocsin: Tocsin, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "notifications.cfg"
    file.write_text(text)

    result = tocsin.run("import", "proxmox", str(file))

    assert result.exit_code == 0
    assert re.search(re.escape(str(file)) + said, result.stderr), result.stderr


PHONE = "gotify: phone\n\tserver https://gotify.example.net\n\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{PHONE}matcher: default-matcher\n\tmode all\n\ttarget phone\n",
        f"{PHONE}group: all\n\tendpoint phone\n\nmatcher: default-matcher\n\ttarget all\n",
    ],
    ids=["its target", "all of its group"],
)
def test_default_matcher_stays_where_none_of_its_targets_comes(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "notifications.cfg"
    file.write_text(text)
    before = entries(store)["default-matcher"]

    result = tocsin.run("import", "proxmox", str(file))

    assert result.exit_code == 0
    assert entries(store)["default-matcher"] == before
    assert (
        "matcher default-matcher: is not carried over, as none of its targets is" in result.stderr
    )


@pytest.mark.parametrize(
    ("more", "target"),
    [("\ttarget mail-to-root\n", "mail-to-root"), ("\tdisable true\n", None)],
    ids=["another target comes", "it is disabled"],
)
def test_default_matcher_comes_where_nobody_is_silenced_by_it(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path, more: str, target: str | None
) -> None:
    file = tmp_path / "notifications.cfg"
    file.write_text(f"{PHONE}matcher: default-matcher\n\ttarget phone\n{more}")

    assert tocsin.run("import", "proxmox", str(file)).exit_code == 0

    found = entries(store)["default-matcher"]
    assert found.targets == ((target,) if target else ())
    assert found.disable is (target is None)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("\tmatch-severity info\n\tmatch-severity error\n", ["match-severity"]),
        (
            "\tmode all\n\tmatch-calendar mon-fri\n\tmatch-calendar 8-17\n",
            ["match-calendar"],
        ),
        ("\tmode any\n\tmatch-calendar mon-fri\n\tmatch-calendar 8-17\n", []),
        ("\tmatch-severity info,error\n\tmatch-calendar mon-fri\n", []),
        ("\tmatch-field exact:a=b\n\tmatch-field exact:c=d\n", []),
    ],
)
def test_several_lines_that_must_all_hold_are_told_as_changed(
    tocsin: Tocsin, store: SqlStore, tmp_path: Path, rules: str, told: list[str]
) -> None:
    file = tmp_path / "notifications.cfg"
    file.write_text(f"matcher: m1\n{rules}\ttarget mail-to-root\n")

    result = tocsin.run("import", "proxmox", str(file))

    pattern = r"matcher m1 (\S+): is carried over with a changed meaning"
    assert re.findall(pattern, result.stderr) == told
    assert "m1" in entries(store)


def test_file_that_is_not_there_is_told(tocsin: Tocsin) -> None:
    assert "nowhere.cfg: cannot be read" in tocsin.fails(
        "import", "proxmox", "nowhere.cfg", code=2
    )
