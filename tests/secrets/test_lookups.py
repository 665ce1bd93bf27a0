"""Lookups are made when a target is used; what they give is neither stored nor told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dispatch import TargetEntry
from pipeline.dispatch.secret_values import shown
from pipeline.errors import InvalidValue, NotFound
from pipeline.lookups import Lookup, filled, has_lookup, is_lookup, mistyped
from pipeline.notification import Delivered
from pipeline.receiver import Receiver
from pipeline.secrets import Sources
from pipeline.targets import Targets, checked_options
from pipeline.targets.base import Tools
from pipeline.targets.settings import DeliverySettings

from any_message import JSON
from builders import NOON, a_delivery
from delivery.receivers import PATIENCE

ANY = ("env:*", "file:*")


class Entries:
    """The targets with a name."""

    def __init__(self, *entries: TargetEntry) -> None:
        self.by_name = {entry.name: entry for entry in entries}

    def target(self, name: str) -> TargetEntry:
        try:
            return self.by_name[name]
        except KeyError:
            raise NotFound(name) from None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def entries() -> Entries:
    return Entries()


@pytest.fixture
def environ() -> dict[str, str]:
    return {}


@pytest.fixture
def targets(entries: Entries, environ: dict[str, str]) -> Iterator[Targets]:
    tools = Tools.by(DeliverySettings(**PATIENCE), lambda: NOON, None)
    made = Targets(tools, entries, Sources(environ, ANY))
    yield made
    made.close()


def test_named_target_is_told_at_what_was_looked_up(
    targets: Targets, entries: Entries, environ: dict[str, str], receiver: Receiver
) -> None:
    entries.by_name["hook"] = TargetEntry("hook", "aodh", {"url": "${env:HOOK}/a"})
    environ["HOOK"] = receiver.url

    outcome = targets.for_action("target:hook").deliver(a_delivery("target:hook"))

    assert isinstance(outcome, Delivered)


def test_target_whose_lookup_is_missing_is_told_by_name_and_others_work(
    targets: Targets, entries: Entries, tmp_path: Path
) -> None:
    missing = tmp_path / "token"
    entries.by_name |= {
        "hook": TargetEntry("hook", "aodh", {"url": "${env:HOOK}"}),
        "file": TargetEntry("file", "aodh", {"url": f"${{file:{missing}}}"}),
        "other": TargetEntry("other", "test"),
    }

    with pytest.raises(InvalidValue, match=r"target hook: \$\{env:HOOK\}: the environment has no"):
        targets.for_action("target:hook")
    with pytest.raises(InvalidValue, match=f"target file: .*{missing}.*cannot be read"):
        targets.for_action("target:file")
    assert targets.for_action("target:other")


def test_target_is_made_anew_when_the_file_was_replaced(
    targets: Targets, entries: Entries, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text("http://first.example/\n")
    entries.by_name["hook"] = TargetEntry("hook", "aodh", {"url": f"${{file:{file}}}"})
    first = targets.for_action("target:hook")
    assert targets.for_action("target:hook") is first

    file.write_text("http://second.example/\n")

    assert targets.for_action("target:hook") is not first


def test_what_was_looked_up_is_in_no_error(
    targets: Targets, entries: Entries, environ: dict[str, str]
) -> None:
    environ["SECRET"] = "geheim-und-lang"
    entries.by_name["hook"] = TargetEntry("hook", "aodh", {"url": "http://[${env:SECRET}"})
    entries.by_name["gone"] = TargetEntry("gone", "aodh", {"url": "http://${env:SECRET}.invalid/"})

    with pytest.raises(InvalidValue, match="target hook") as caught:
        targets.for_action("target:hook")
    outcome = targets.for_action("target:gone").deliver(a_delivery("target:gone"))

    assert "geheim-und-lang" not in str(caught.value)
    assert not isinstance(outcome, Delivered)
    assert "geheim-und-lang" not in str(outcome)


def test_lookup_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("x")
    sources = Sources({"A": "1", "B": "2"}, ("env:A", f"file:{tmp_path}/in/*"))

    assert sources(Lookup("env", "A")) == "1"
    for source, name in (
        ("env", "B"),
        ("file", f"{tmp_path}/out"),
        ("file", f"{tmp_path}/in/../out"),
    ):
        with pytest.raises(InvalidValue, match=r"secrets\.lookups allows"):
            sources(Lookup(source, name))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"\n", "empty"), (b"\xff", "UTF-8"), (b"x" * 70_000, "longer than 64 KiB")],
)
def test_file_that_is_no_value_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    with pytest.raises(InvalidValue, match=said):
        Sources({}, ANY)(Lookup("file", str(file)))


def test_relative_path_is_refused() -> None:
    with pytest.raises(InvalidValue, match="whole path"):
        Sources({}, ANY)(Lookup("file", "token"))


def test_options_with_lookups_are_taken_in_as_they_are_written() -> None:
    public, secrets = checked_options("jenkins", {"url": "${env:JENKINS}", "job": "a"})

    assert public == {"url": "${env:JENKINS}", "job": "a"}
    assert secrets == {}


def test_lookup_is_shown_and_a_secret_is_not() -> None:
    assert shown("${env:TOKEN}") == "${env:TOKEN}"
    assert shown("x${env:TOKEN}") == "***"
    assert shown({"a": "${file:/x}", "b": "geheim"}) == {"a": "${file:/x}", "b": "***"}


@pytest.mark.parametrize(
    "text", ["$env:A", "${A}", "${other:A}", "${env:}", "{{ env }}", "${env: A}", "$${", "${env:A"]
)
def test_what_is_no_lookup_stays_as_it_is(text: str) -> None:
    assert not has_lookup(text)
    assert filled(text, lambda _: pytest.fail("looked up")) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("envv", "env"),
        ("evn", "env"),
        ("ENV", "env"),
        ("en", "env"),
        ("files", "file"),
        ("flie", "file"),
        ("fike", "file"),
        ("File", "file"),
    ],
)
def test_option_that_is_nearly_a_lookup_is_refused(word: str, meant: str) -> None:
    written = {"server": "https://g", "token": f"${{{word}:geheim}}"}

    with pytest.raises(InvalidValue) as raised:
        checked_options("gotify", written)

    assert f"token: ${{{word}:…}} is no lookup. Did you mean '${{{meant}:…}}'?" in str(
        raised.value
    )
    assert list(raised.value.messages or ()) == ["token"]
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        "${env:A}",
        "${file:/x}",
        "${other:A}",
        "${profile:A}",
        "${filename:A}",
        "${files:-none}",
        "${envv}",
        "$envv:A",
        {"a": ["${env:A}"]},
        7,
    ],
)
def test_what_is_a_lookup_or_far_from_one_is_not_called_mistyped(value: Any) -> None:
    assert mistyped(value) == ""


def test_mistyped_lookup_is_found_inside_and_beside_a_right_one() -> None:
    assert "${envv:…}" in mistyped({"a": [1, "${env:A} ${envv:B}"]})


@given(JSON)
def test_filling_changes_only_lookups(value: Any) -> None:
    if not has_lookup(value):
        assert filled(value, lambda _: pytest.fail("looked up")) == value


@given(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=5))
def test_every_lookup_in_a_text_is_filled(name: str, around: str) -> None:
    lookup = f"${{env:{name}}}"

    assert is_lookup(lookup)
    assert filled([around + lookup], lambda found: found.name.lower()) == [around + name.lower()]
    assert str(Lookup("env", name)) == lookup


@pytest.mark.parametrize(
    ("type", "options", "kept_apart"),
    [
        ("aodh", {"url": "https://u:geheim@h.example/"}, {"url"}),
        ("aodh", {"url": "https://h.example/?token=geheim"}, {"url"}),
        ("aodh", {"url": "https://h.example/"}, set()),
        ("aodh", {"url": "https://h.example/?token=${env:TOKEN}"}, set()),
        ("webhook", {"url": "http://h", "header": {"Authorization": "Bearer geheim"}}, {"header"}),
        ("webhook", {"url": "http://h", "header": {"X-Api-Key": "geheim"}}, {"header"}),
        ("webhook", {"url": "http://h", "header": ["Authorization: Basic geheim"]}, {"header"}),
        ("webhook", {"url": "http://h", "body": '{"token": "{{ title }}"}'}, set()),
        (
            "webhook",
            {
                "url": "http://h/?token={{ secrets.t }}",
                "header": {"Authorization": "Bearer {{ secrets.t }}", "Accept": "text/plain"},
                "secret": {"t": "geheim"},
            },
            {"secret"},
        ),
    ],
)
def test_option_with_a_secret_in_it_is_kept_as_one(
    type: str, options: dict[str, Any], kept_apart: set[str]
) -> None:
    public, secrets = checked_options(type, options)

    assert set(secrets) == kept_apart
    assert set(public) == options.keys() - kept_apart
    assert "geheim" not in str(public)


def test_option_that_is_kept_as_a_secret_stays_when_it_is_given_back_masked() -> None:
    public, secrets = checked_options("aodh", {"url": "***", "timeout": 3})

    assert (public, secrets) == ({"timeout": 3}, {"url": "***"})
