"""What may stand in pipelines.yaml, and what is said of what may not (events-in 25, 26, 29)."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import registry, yaml_source
from pipeline.errors import ConfigError
from pipeline.publishers import GROUP, from_url
from pipeline.routing import Route, load_routes
from pipeline.yaml_source import Document

CEILOMETERS = """\
---
sources:
    - name: event_source
      events:
          - "*"
          - "!volume.*"
      sinks:
          - event_sink
    - name: audit_source
      interval: 600
      events: ["identity.*", "audit.*"]
      resources: []
      discovery:
      sinks: [event_sink, file_sink]
sinks:
    - name: event_sink
      transformers:
      triggers:
      publishers: [PUBLISHERS]
    - name: file_sink
      publishers: ["file:///var/log/events?max_bytes=10000000&backup_count=5&json"]
"""


def problems_of(text: str) -> list[str]:
    document = yaml_source.load(dedent(text), "pipelines.yaml")
    with pytest.raises(ConfigError) as caught:
        load_routes(document, from_url)
    return [str(problem) for problem in caught.value.problems]


def test_a_file_of_ceilometers_loads_with_the_keys_that_it_ignores() -> None:
    text = CEILOMETERS.replace("PUBLISHERS", '"alarms://", "log://"')

    routes = load_routes(yaml_source.load(text, "event_pipeline.yaml"), from_url)

    assert routes.route("compute.x") == Route(True, ("log://",))
    assert routes.route("volume.x") == Route(False, ())
    assert len(routes.route("audit.x").publishers) == 2


def test_ceilometers_default_publisher_is_one_of_ours() -> None:
    text = CEILOMETERS.replace("PUBLISHERS", "notifier://")

    routes = load_routes(yaml_source.load(text, "event_pipeline.yaml"), from_url)

    assert routes.route("compute.x") == Route(False, ("notifier://",))


def test_all_problems_are_reported_at_once_in_file_order() -> None:
    """events-in 25: duplicate names and pairs, a dangling sink, empty publishers."""
    assert problems_of("""\
        sources:
          - name: a
            events: ["*", 5]
            sinks: [mail, mail, post]
          - name: a
            event: ["*"]
            sinks:
          - b
        sinks:
          - name: mail
            publishers: []
          - name: mail
            publishers: [{log: yes}, "lag://", "log://x"]
          - name: 8
    """) == [
        "pipelines.yaml:3:19 sources[0].events[1]: expects text, not 5. Put it in quotes.",
        "pipelines.yaml:4:19 sources[0].sinks[1]: the sink 'mail' is listed twice. Take one out.",
        "pipelines.yaml:4:25 sources[0].sinks[2]: there is no sink 'post'. Use one of mail.",
        "pipelines.yaml:5:5 sources[1].events: is missing. "
        "Give a list of event types, as globs; ['*'] takes all.",
        "pipelines.yaml:5:11 sources[1].name: the name 'a' is taken by the source at line 2. "
        "Give each source a name of its own.",
        "pipelines.yaml:7:11 sources[1].sinks: the list is empty. Give at least one.",
        "pipelines.yaml:8:5 sources[2]: expects a mapping with 'name', 'events' and 'sinks'.",
        "pipelines.yaml:11:17 sinks[0].publishers: the list is empty. Give at least one.",
        "pipelines.yaml:12:11 sinks[1].name: the name 'mail' is taken by the sink at line 10. "
        "Give each sink a name of its own.",
        "pipelines.yaml:13:18 sinks[1].publishers[0]: expects text, not a mapping.",
        "pipelines.yaml:13:30 sinks[1].publishers[1]: unknown publisher 'lag'. "
        f"Use one of {', '.join(registry.names(GROUP))}. Did you mean 'log'?",
        "pipelines.yaml:13:40 sinks[1].publishers[2]: log:// takes no host, path or options. "
        "Write just log://",
        "pipelines.yaml:14:5 sinks[2].publishers: is missing. "
        "Give a list of URLs, as ['alarms://'].",
        "pipelines.yaml:14:11 sinks[2].name: expects text, not 8. Put it in quotes.",
    ]


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (
            '["compute.*", "!*.exists"]',
            "takes 'compute.*' and leaves out '!*.exists'; a source does one or the other. "
            "Make two sources of it.",
        ),
        ('["*", "compute.*"]', "'*' takes 'compute.*' as well. Take one of them out."),
        ("[]", "the list is empty. Give at least one."),
        ("{compute: yes}", "expects a list of texts, not a mapping."),
    ],
)
def test_events_that_contradict_themselves_are_refused(events: str, problem: str) -> None:
    """events-in 26."""
    text = f"""\
        sources: [{{name: a, events: {events}, sinks: [s]}}]
        sinks: [{{name: s, publishers: ["alarms://"]}}]
    """
    assert problems_of(text) == [f"pipelines.yaml:1:29 sources[0].events: {problem}"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["pipelines.yaml:1:1: expects a mapping with 'sources' and 'sinks'."]),
        ("- a", ["pipelines.yaml:1:1: expects a mapping with 'sources' and 'sinks'."]),
        (
            "sources: 5",
            [
                "pipelines.yaml:1:1 sinks: is missing. "
                "Give a list of sinks: which publishers each has.",
                "pipelines.yaml:1:10 sources: expects a list of sources: "
                "which events go to which sinks.",
            ],
        ),
    ],
)
def test_a_file_of_another_kind_is_refused(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["*", "!a", "!", "", "s", "log://"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sources", "sinks", "name", "events", "publishers", "x"]), inner
        )
    ),
    max_leaves=12,
)
ENTRY = st.dictionaries(st.sampled_from(["name", "events", "sinks", "publishers"]), JSON)


@given(
    value=JSON
    | st.fixed_dictionaries({"sources": st.lists(ENTRY | JSON), "sinks": st.lists(ENTRY | JSON)})
)
def test_any_yaml_is_loaded_or_refused_with_problems(value: object) -> None:
    try:
        outcome = load_routes(Document("pipelines.yaml", value, None), from_url).sources
    except ConfigError as error:
        outcome = error.problems

    assert isinstance(outcome, tuple)
