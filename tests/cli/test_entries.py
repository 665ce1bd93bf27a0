"""Targets, groups, filters and matchers are set up by name, tried and explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marshmallow import fields
from marshmallow.validate import OneOf

from pipeline.alarms.alarm import Severity
from pipeline.cli.alarms import alarm
from pipeline.cli.filters import filter_
from pipeline.cli.groups import group
from pipeline.cli.matchers import matcher
from pipeline.cli.routes import route
from pipeline.cli.targets import target
from pipeline.receiver import Receiver
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import types
from pipeline.targets.log import LogTarget
from pipeline.targets.options import TargetSchema, secret, text
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_rule, a_transition, an_alarm, an_event
from cli.application import At, Tocsin
from store.test_routing_entries import Sealing


class EverythingSchema(TargetSchema):
    """Options of every sort."""

    server = text(required=True)
    token = secret(required=True)
    send_to = fields.List(fields.String())
    header = fields.Dict(keys=fields.String(), values=fields.String())
    secrets = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"secret": True})
    port = fields.Integer(strict=True)
    verify = fields.Boolean()
    mode = text(validate=OneOf(("tls", "insecure")))


class EverythingTarget(LogTarget):
    schema = EverythingSchema


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type of target with options of every sort, beside those that are installed."""
    from pipeline import targets

    found = targets.of_type

    def of_type(type: str) -> Any:
        return EverythingTarget if type == "everything" else found(type)

    monkeypatch.setattr(targets, "of_type", of_type)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    settings = DatabaseSettings(url=sqlite_url)
    with SqlStore.open(settings, clock=lambda: NOON, sealer=Sealing()) as store:
        yield store


@pytest.fixture
def tocsin(store: SqlStore, at: At) -> Tocsin:
    return Tocsin(store, target, group, filter_, matcher, route, alarm, at=at)


def shown(tocsin: Tocsin, *words: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(tocsin(*words, "-f", "json"))
    return {name: value for name, value in read.items() if name not in ("origin", "digest")}


def listed(tocsin: Tocsin, kind: str) -> list[str]:
    return tocsin(kind, "list", "-f", "value", "-c", "name").split()


def a_target(tocsin: Tocsin, name: str = "hook", url: str = "https://r.example/hook") -> None:
    tocsin("target", "create", name, "--type", "aodh", "--set", f"url={url}")


def test_target_is_made_shown_listed_and_deleted(tocsin: Tocsin) -> None:
    made = shown(
        *(tocsin, "target", "create", "hook", "--type", "aodh", "--comment", "the old way"),
        *("--set", "url=https://r.example/hook"),
    )

    assert made == {
        "name": "hook",
        "type": "aodh",
        "url": "https://r.example/hook",
        "comment": "the old way",
        "disable": False,
    }
    assert shown(tocsin, "target", "show", "hook") == made
    assert listed(tocsin, "target") == ["hook", "mail-to-root"]
    tocsin("target", "delete", "hook")
    assert listed(tocsin, "target") == ["mail-to-root"]


def test_options_are_read_as_the_type_has_them(tocsin: Tocsin, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("geheim\n")

    made = shown(
        *(tocsin, "target", "create", "all", "--type", "everything", "--set", "server=s.example"),
        *("--set", f"token=@{token}", "--set", "send_to=a", "--set", "send-to=@@b"),
        *("--set", "header=X-One=1", "--set", "header=X-Two=a=b", "--set", "port=8080"),
        *("--set", "secrets=key=deep", "--set", "verify=false"),
    )

    assert made == {
        "name": "all",
        "type": "everything",
        "server": "s.example",
        "send-to": ["a", "@b"],
        "header": {"X-One": "1", "X-Two": "a=b"},
        "port": 8080,
        "verify": False,
        "token": "***",
        "secrets": {"key": "***"},
        "disable": False,
    }


def secrets_of(store: SqlStore, name: str) -> Any:
    snapshot = store.routing_after(-1, with_secrets=True)
    assert snapshot is not None
    return next(entry.secrets for entry in snapshot.entries if entry.name == name)  # type: ignore[union-attr]


def test_secrets_are_read_from_standard_input_and_kept_by_an_update(
    tocsin: Tocsin, store: SqlStore
) -> None:
    tocsin(
        *("target", "create", "all", "--type", "everything", "--set", "server=s.example"),
        *("--set", "token=@-", "--set", "secrets=a=one", "--set", "secrets=b=two"),
        input="geheim\n",
    )
    tocsin("target", "update", "all", "--set", "server=t.example")
    tocsin("target", "update", "all", "--set", "secrets=a", "--set", "secrets=c=three")

    assert secrets_of(store, "all") == {"token": "geheim", "secrets": {"a": "one", "c": "three"}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--type", "aodh"), "target t1: url: Mandatory field missing."),
        (("--type", "aod"), "unknown target 'aod'. Use one of.*Did you mean 'aodh'?"),
        (("--type", "aodh", "--set", "ulr=x"), "aodh has no option 'ulr'.*Did you mean 'url'"),
        (("--type", "aodh", "--set", "url"), "--set 'url' has no value"),
        (("--type", "aodh", "--set", "url=x"), "url: Not an http or https URL"),
        (("--type", "aodh", "--set", "url=@/no/such"), "the file cannot be read: No such file"),
        (("--type", "log", "--filter", "urgent"), "filter 'urgent' does not exist"),
        (("--type", "everything", "--set", "server=s"), "token: Mandatory field missing"),
        (("--type", "everything", "--set", "header==x"), "write --set header=NAME=VALUE"),
    ],
)
def test_unfit_target_is_refused_with_what_is_wrong(
    tocsin: Tocsin, words: tuple[str, ...], said: str
) -> None:
    import re

    error = tocsin.fails("target", "create", "t1", *words, code=2)

    assert re.search(said, error), error
    assert listed(tocsin, "target") == ["mail-to-root"]


@pytest.mark.parametrize("name", ["x", "n" * 33, "a b", "-a", ".a", "ä1", ""])
def test_name_that_cannot_be_one_is_refused(tocsin: Tocsin, name: str) -> None:
    words = ("filter", "create", "--min-severity", "error", "--", name)

    assert "is no name" in tocsin.fails(*words, code=2)


def test_filter_is_made_and_changed(tocsin: Tocsin) -> None:
    tocsin("filter", "create", "urgent", "--min-severity", "error", "--comment", "wakes")
    changed = shown(
        tocsin, "filter", "update", "urgent", "--min-severity", "critical", "--unset", "comment"
    )

    assert changed == {"name": "urgent", "min-severity": "critical", "disable": False}


def test_group_is_made_and_changed(tocsin: Tocsin) -> None:
    a_target(tocsin, "one")
    a_target(tocsin, "two")
    tocsin("filter", "create", "urgent", "--min-severity", "error")
    tocsin("group", "create", "admins", "--target", "one", "--target", "two", "--filter", "urgent")

    assert shown(tocsin, "group", "update", "admins", "--target", "two", "--disable") == {
        "name": "admins",
        "target": ["two"],
        "filter": "urgent",
        "disable": True,
    }
    assert shown(tocsin, "group", "update", "admins", "--target", "", "--enable") == {
        "name": "admins",
        "filter": "urgent",
        "disable": False,
    }


def test_matcher_is_made_and_changed(tocsin: Tocsin) -> None:
    a_target(tocsin)
    made = shown(
        *(tocsin, "matcher", "create", "nights", "--match-field", "exact:host=a,b"),
        *("--match-field", "regex:alarm_name=^disk", "--match-severity", "Error,critical"),
        *("--match-calendar", "mon-fri 22-6", "--mode", "any", "--invert-match"),
        *("--target", "hook"),
    )

    assert made == {
        "name": "nights",
        "match-field": ["exact:host=a,b", "regex:alarm_name=^disk"],
        "match-severity": ["error", "critical"],
        "match-calendar": ["mon-fri 22-6"],
        "mode": "any",
        "invert-match": True,
        "target": ["hook"],
        "disable": False,
    }
    changed = shown(
        *(tocsin, "matcher", "update", "nights", "--unset", "match-field", "--mode", "all"),
        *("--unset", "match_calendar", "--no-invert-match"),
    )
    assert changed == {
        "name": "nights",
        "match-severity": ["error", "critical"],
        "target": ["hook"],
        "disable": False,
    }


def test_all_problems_of_a_matcher_are_told_at_once(tocsin: Tocsin) -> None:
    error = tocsin.fails(
        *("matcher", "create", "m1", "--match-field", "host=a", "--match-field", "regex:a=("),
        *("--match-severity", "eror", "--match-calendar", "noon"),
        code=2,
    )

    for said in ("is no rule on a field", "cannot be used", "'eror'", "'noon' is no day"):
        assert said in error


def test_what_is_not_set_cannot_be_unset(tocsin: Tocsin) -> None:
    tocsin("filter", "create", "urgent", "--min-severity", "error")

    said = tocsin.fails("filter", "update", "urgent", "--unset", "coment", code=2)
    assert "coment is not set on urgent" in said
    said = tocsin.fails("filter", "update", "urgent", "--unset", "name", code=2)
    assert "name cannot be unset" in said


def test_update_with_an_old_digest_is_refused(tocsin: Tocsin) -> None:
    a_target(tocsin)
    digest = tocsin("target", "show", "hook", "-f", "value", "-c", "digest").strip()
    tocsin("target", "update", "hook", "--comment", "one", "--digest", digest)

    said = tocsin.fails("target", "update", "hook", "--comment", "two", "--digest", digest, code=2)
    assert "has been changed meanwhile" in said
    said = tocsin.fails("target", "delete", "hook", "--digest", digest, code=2)
    assert "has been changed meanwhile" in said


def test_entry_is_found_under_its_own_kind_only(tocsin: Tocsin) -> None:
    a_target(tocsin)

    assert "Group hook not found" in tocsin.fails("group", "show", "hook")
    assert "Did you mean 'hook'" in tocsin.fails("target", "show", "hok")
    assert "Matcher hook not found" in tocsin.fails("matcher", "delete", "hook")


def test_what_is_still_used_is_not_deleted(tocsin: Tocsin) -> None:
    a_target(tocsin)
    tocsin("matcher", "create", "all-of-it", "--target", "hook")

    said = tocsin.fails("target", "delete", "hook", code=2)
    assert "hook is referenced by matcher all-of-it" in said


def test_modified_built_in_is_reset_by_delete(tocsin: Tocsin) -> None:
    tocsin("target", "update", "mail-to-root", "--disable")
    assert tocsin("target", "show", "mail-to-root", "-f", "value", "-c", "origin") == (
        "modified-builtin\n"
    )

    tocsin("target", "delete", "mail-to-root")
    assert tocsin("target", "show", "mail-to-root", "-f", "value", "-c", "origin") == "builtin\n"


def test_types_and_their_options_are_listed(tocsin: Tocsin) -> None:
    assert tocsin("target", "types", "-f", "value").split() == types()
    options = json.loads(tocsin("target", "types", "everything", "-f", "json"))
    assert {"option": "token", "holds": "a text", "needed": True, "secret": True} in options
    assert {"option": "send-to", "holds": "several", "needed": False, "secret": False} in options
    (mode,) = [option for option in options if option["option"] == "mode"]
    assert mode["holds"] == "tls or insecure"


def test_a_list_of_matchers_shows_which_take_what_the_rules_do_not_hold_for(
    tocsin: Tocsin,
) -> None:
    tocsin("matcher", "create", "quiet", "--match-severity", "info", "--invert-match")
    shown = json.loads(tocsin("matcher", "list", "-f", "json"))
    assert [row["invert-match"] for row in shown if row["name"] == "quiet"] == [True]


def test_no_type_has_an_option_that_every_target_has() -> None:
    """It could not be said of a target."""
    from pipeline.dispatch.entry_schema import TargetSchema as OfEveryTarget
    from pipeline.targets import fields_of

    reserved = {*OfEveryTarget._declared_fields, *OfEveryTarget.ignored}
    for type in types():
        assert not reserved & {name.replace("_", "-") for name in fields_of(type)}, type


# --- trying ----------------------------------------------------------------------------------


def test_a_trial_keeps_to_the_outbound_guard(tocsin: Tocsin) -> None:
    """delivery 9: what a delivery may not do, a trial may not either."""
    options = ("--set", "server=127.0.0.1", "--set", "port=9", "--set", "mailto=a@example.org")
    tocsin("target", "create", "mail", "--type", "smtp", *options)
    tocsin.application.delivery = DeliverySettings(guard="all")

    said = tocsin.fails("target", "test", "mail")

    assert "cannot be held to public addresses" in said


def test_target_is_tried_with_a_test_message(tocsin: Tocsin, store: SqlStore) -> None:
    with Receiver() as receiver:
        a_target(tocsin, url=f"{receiver.url}/a")
        tried = json.loads(tocsin("target", "test", "hook", "-f", "json"))

        (callback,) = receiver.wait_for(1, 10)
    assert (tried["outcome"], tried["status"]) == ("delivered", 200)
    assert callback.json()["kind"] == "test"
    assert store.deliveries() == []


def test_disabled_target_can_be_tried(tocsin: Tocsin) -> None:
    """notifications 11: one tries it before it is enabled."""
    with Receiver() as receiver:
        a_target(tocsin, url=f"{receiver.url}/a")
        tocsin("target", "update", "hook", "--disable")
        tocsin("target", "test", "hook")

        assert len(receiver.wait_for(1, 10)) == 1


def test_target_is_tried_with_a_past_event(tocsin: Tocsin, store: SqlStore) -> None:
    store.keep_events([an_event(message_id="aa11", event_type="disk.full", host="c1")])
    with Receiver() as receiver:
        a_target(tocsin, url=f"{receiver.url}/a")
        tocsin("target", "test", "hook", "--event", "aa11")

        (callback,) = receiver.wait_for(1, 10)
    assert callback.json()["reason_data"]["event"]["message_id"] == "aa11"


def test_what_a_target_answers_comes_back(tocsin: Tocsin) -> None:
    a_target(tocsin, url="http://127.0.0.1:9/")

    said = tocsin.fails("target", "test", "hook")
    assert "hook did not take it: cannot connect to http://127.0.0.1:9" in said
    assert "Target hok not found" in tocsin.fails("target", "test", "hok")


def test_target_whose_secret_cannot_be_had_is_named(tocsin: Tocsin, store: SqlStore) -> None:
    tocsin(
        *("target", "create", "all", "--type", "everything", "--set", "server=s.example"),
        *("--set", "token=t"),
    )
    store._sealer = Sealing("another")

    assert "target all: its secrets cannot be had" in tocsin.fails("target", "test", "all")


def test_alarm_that_leads_to_nothing_yet_is_made_with_a_warning(tocsin: Tocsin) -> None:
    a_target(tocsin)
    words = ("alarm", "create", "--name", "disk", "--alarm-action", "target:hook")
    assert tocsin.run(*words).stderr == ""

    warned = tocsin.run(*words, "--alarm-action", "group:admins")
    assert warned.exit_code == 0
    assert warned.stderr == (
        "Warning: alarm 'disk': group:admins does not exist. "
        "Make it: tocsin group create admins …\n"
    )


# --- explaining ------------------------------------------------------------------------------


def explained(tocsin: Tocsin, *words: str) -> dict[tuple[str, str], tuple[bool, str]]:
    rows = json.loads(tocsin("route", "explain", *words, "-f", "json"))
    return {(row["what"], row["name"]): (row["takes"], row["why"]) for row in rows}


@pytest.fixture
def routed(tocsin: Tocsin, store: SqlStore) -> Tocsin:
    """A critical alarm on full disks that tells one target, and a matcher for another."""
    for name in ("hook", "other"):
        a_target(tocsin, name)
    tocsin("matcher", "create", "c-hosts", "--match-field", "regex:host=^c", "--target", "other")
    store.create(
        an_alarm(
            name="disk",
            rule=a_rule("disk.*"),
            all_projects=True,
            severity=Severity.CRITICAL,
            alarm_actions=("target:hook",),
        )
    )
    return tocsin


def test_event_is_explained_by_the_alarms_that_it_fires(routed: Tocsin, store: SqlStore) -> None:
    store.keep_events([an_event(message_id="aa11", event_type="disk.full", host="c1")])

    found = explained(routed, "aa")

    assert found["policy", "alarm-transition"][0] is True
    assert found["matcher", "c-hosts"] == (True, "regex:host=^c holds: host is 'c1'")
    assert found["target", "target:hook"] == (True, "the alarm")
    assert found["target", "target:other"] == (True, "matcher c-hosts")
    assert found["target", "target:mail-to-root"] == (False, "nothing leads to it")
    assert store.deliveries() == []


def test_event_in_a_file_is_explained(routed: Tocsin, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    event = an_event(event_type="disk.full", host="d1")
    file.write_text(json.dumps(event.as_dict()))

    found = explained(routed, str(file), "--alarm", "disk")

    assert found["matcher", "c-hosts"] == (
        False,
        "regex:host=^c does not hold: host is 'd1'",
    )


def test_event_that_fires_nothing_says_so(routed: Tocsin, store: SqlStore) -> None:
    store.keep_events([an_event(message_id="aa11", event_type="cpu.hot")])

    ran = routed.run("route", "explain", "aa11")
    assert (ran.exit_code, ran.stderr) == (0, "no enabled alarm fires on it: nothing is told.\n")
    ran = routed.run("route", "explain", "aa11", "--alarm", "disk")
    assert ran.stderr == "alarm 'disk' does not fire on it: nothing is told.\n"


def test_past_delivery_is_explained(routed: Tocsin, store: SqlStore) -> None:
    event = an_event(event_type="disk.full", host="c1")
    with store.begin() as transaction:
        transaction.save_transitions([a_transition(store.find("disk"), event)])
    (record,) = store.deliveries()

    found = explained(routed, record.delivery_id)

    assert found["target", "target:other"] == (True, "matcher c-hosts")
