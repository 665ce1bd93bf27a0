"""Whatever a person writes or a Jenkins says: no exception but the one that is for people."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, InProgress, Refused
from pipeline.targets.jenkins import address, replies, verdict
from pipeline.targets.jenkins.verdict import FailedBuild, Policy, Wait

from builders import NOON

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    [
        "buildable",
        "property",
        "parameterDefinitions",
        "name",
        "choices",
        "executable",
        "number",
        "cancelled",
        "why",
        "stuck",
        "building",
        "result",
        "builds",
        "queueId",
        "crumb",
        "crumbRequestField",
    ]
)
_SAID = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=15,
)
_URL_TEXT = st.text(st.sampled_from("ab/:@?&=#%[]{}. \\\n\x00éjobuildtokens-1"), max_size=40)


@pytest.mark.parametrize("scheme", ["jenkins", "jenkinss", "slack"])
@given(rest=_URL_TEXT | st.text(max_size=40))
@example(rest="[::1")
@example(rest="\u2100/x")
@example(rest="h:99999999/x")
@example(rest="u:p@h/job/job")
def test_any_action_is_taken_or_refused(scheme: str, rest: str) -> None:
    with suppress(InvalidValue):
        targets.check_action(f"{scheme}://{rest}")


@given(said=(_JSON | _SAID).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20))
def test_any_reply_is_read_or_is_none(said: bytes) -> None:
    for read in (replies.job, replies.queue_item, replies.build):
        read(said)
    replies.build_of(said, 7)
    crumb = replies.crumb(said, "a=1; Path=/\nb\n;")

    assert crumb is None or (crumb.cookies == "a=1" and crumb.value.isascii())


@given(location=st.text(max_size=60) | _URL_TEXT)
def test_any_location_leads_to_an_item_or_to_none(location: str) -> None:
    item = replies.item_in(location)

    assert item is None or item >= 0
    assert replies.item_in(f"https://elsewhere/ci/queue/item/12/?{location}") in (12, None)


@given(names=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_job_is_found_again_by_its_path(names: list[str]) -> None:
    """Whatever its folders are called; but a path has no empty name and no slash in one."""
    names = [name.replace("/", "_").encode("utf-8", "replace").decode() for name in names]
    path = address.job_path("/".join(names))

    assert address.options_of(f"jenkins://ci{path}")["job"] == "/".join(names)


_FOUND: st.SearchStrategy[Any] = st.one_of(
    st.builds(verdict.Queued, st.builds(replies.QueueItem, st.text(), st.text())),
    st.just(verdict.Running()),
    st.builds(verdict.Ended, st.sampled_from(["SUCCESS", "FAILURE", "CANCELLED", "X"])),
    st.builds(verdict.Lost, st.text(min_size=1)),
    st.builds(verdict.Unheard, st.text(min_size=1)),
)
_POLICIES = st.builds(
    Policy,
    st.sampled_from(Wait),
    st.sampled_from(FailedBuild),
    st.timedeltas(timedelta(seconds=1), timedelta(days=6)),
)


@given(
    found=_FOUND, policy=_POLICIES, elapsed=st.timedeltas(timedelta(days=-9), timedelta(days=9))
)
def test_every_verdict_tells_where_it_stands_and_comes_to_an_end(
    found: Any, policy: Policy, elapsed: timedelta
) -> None:
    progress = {**verdict.begun("tidy", 12, NOON), "build": 7}

    outcome = verdict.outcome(found, progress, policy, NOON + elapsed, 200)

    left = outcome.progress
    assert left is not None
    assert left["queue_item"] == 12
    match outcome:
        case InProgress():
            assert elapsed < policy.follow
            assert verdict.is_under_way(left)
            assert timedelta(seconds=1) <= outcome.look_again_in <= timedelta(minutes=1)
        case Failed():
            assert policy.failed_build is FailedBuild.RETRY
            assert not verdict.is_under_way(left)
        case Refused():
            assert policy.failed_build is not FailedBuild.DELIVERED
        case Delivered():
            assert outcome.note
