"""Which sinks an event goes to (events-in 26, 27)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.publishers import from_url
from pipeline.routing import Route, Routes, event_filter, load_routes

SHIPPED = Path(__file__).parents[2] / "pipelines.yaml"


def routes_of(text: str) -> Routes:
    return load_routes(yaml_source.load(dedent(text), "pipelines.yaml"), lambda url: None)


def test_the_shipped_file_sends_every_event_to_the_alarms() -> None:
    routes = load_routes(yaml_source.load_file(SHIPPED), from_url)

    assert routes.route("anything at all") == Route(alarms=True, publishers=())
    assert routes.publishers() == ("alarms://",)


def test_an_event_goes_to_every_sink_of_every_source_that_matches() -> None:
    """events-in 27."""
    routes = routes_of("""
        sources:
          - {name: all, events: ["*"], sinks: [here, there]}
          - {name: compute, events: ["compute.*"], sinks: [elsewhere]}
          - {name: image, events: ["image.*"], sinks: [nowhere]}
        sinks:
          - {name: here, publishers: ["alarms://", "log://"]}
          - {name: there, publishers: ["file:///a"]}
          - {name: elsewhere, publishers: ["file:///b"]}
          - {name: nowhere, publishers: ["file:///c"]}
    """)

    assert routes.route("compute.start") == Route(True, ("log://", "file:///a", "file:///b"))
    assert routes.route("volume.start") == Route(True, ("log://", "file:///a"))


def test_a_url_that_several_sinks_name_gets_an_event_once() -> None:
    routes = routes_of("""
        sources:
          - {name: a, events: ["*"], sinks: [one, two]}
          - {name: b, events: ["x"], sinks: [two]}
        sinks:
          - {name: one, publishers: ["log://", "file:///a"]}
          - {name: two, publishers: ["file:///a", "log://"]}
    """)

    assert routes.route("x") == Route(False, ("log://", "file:///a"))


def test_an_event_that_no_source_takes_goes_nowhere() -> None:
    routes = routes_of("""
        sources: [{name: a, events: [compute.*], sinks: [s]}]
        sinks: [{name: s, publishers: ["alarms://"]}]
    """)

    assert routes.route("image.upload") == Route(False, ())


def test_a_publisher_without_slashes_and_single_texts_are_understood() -> None:
    """As Ceilometer understands `alarms` and `events: "*"`."""
    routes = routes_of("""
        sources: [{name: a, events: "*", sinks: s}]
        sinks: [{name: s, publishers: alarms}]
    """)

    assert routes.route("x") == Route(True, ())


@pytest.mark.parametrize(
    ("events", "event_type", "takes"),
    [
        (["*"], "", True),
        (["compute.*"], "compute.instance.create.end", True),
        (["compute.*"], "Compute.instance", False),
        (["compute.*", "image.upload"], "image.upload", True),
        (["!compute.*"], "image.upload", True),
        (["!compute.*"], "compute.x", False),
        (["*", "!*.exists"], "compute.instance.exists", False),
        (["*", "!*.exists"], "compute.instance.create", True),
        (["*.end", "!compute.*"], "volume.create.start", False),
        (["*.end", "!compute.*"], "compute.create.end", False),
        (["*.end", "!compute.*"], "volume.create.end", True),
        (["identity.OS-TRUST:trust.creat[e]d"], "identity.OS-TRUST:trust.created", True),
        (["a[b"], "a[b", True),
        (["*"], "with\nnew line", True),
    ],
)
def test_event_filter_takes_globs_and_leaves_out(
    events: list[str], event_type: str, takes: bool
) -> None:
    """events-in 26."""
    assert event_filter(events)(event_type) is takes


GLOBS = st.text(alphabet="ab.*?[]!-", min_size=1, max_size=6)


@given(
    patterns=st.lists(GLOBS, min_size=1, max_size=4), event_type=st.text("ab.[]!-*", max_size=6)
)
def test_event_filter_agrees_with_shell_globs(patterns: list[str], event_type: str) -> None:
    taken = [glob for glob in patterns if glob[0] != "!"]
    left_out = [glob[1:] for glob in patterns if glob[0] == "!"]
    expected = (not taken or any(fnmatchcase(event_type, glob) for glob in taken)) and not any(
        fnmatchcase(event_type, glob) for glob in left_out
    )

    assert event_filter(patterns)(event_type) is expected


def test_routes_remember_only_so_many_event_types() -> None:
    routes = routes_of("""
        sources: [{name: a, events: ["*"], sinks: [s]}]
        sinks: [{name: s, publishers: ["alarms://"]}]
    """)

    for number in range(10_000):
        routes.route(f"event.{number}")

    assert routes.route.cache_info().currsize == 4096
