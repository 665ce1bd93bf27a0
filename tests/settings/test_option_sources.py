"""Options from a file and the environment: precedence, types, and every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import yaml_source
from pipeline.errors import ConfigError, InvalidValue
from pipeline.option_sources import Filled, fill
from pipeline.options import option


@dataclass(frozen=True)
class Pump:
    """A section with an option of every kind."""

    name: str = option("main", "Its name.")
    speed: int = option(10, "Turns a second.", minimum=1)
    ratio: float = option(0.5, "Its ratio.", minimum=0)
    running: bool = option(False, "Whether it runs.")
    taps: tuple[str, ...] = option(("a", "b"), "Its taps.", choices=("a", "b", "c"))
    delays: tuple[float, ...] = option((1.0,), "Its delays.", minimum=0)
    labels: Mapping[str, Any] = option({}, "Its labels.")
    limit: int | None = option(None, "Its limit.", minimum=1)
    code: str = option("", "Its code.", secret=True)
    colour: str = option("red", "Its colour.", choices=("red", "green"))
    plan: str = option("", "Its plan.", path=True)


@dataclass(frozen=True)
class Valve:
    """A section that refuses values which do not go together."""

    low: int = option(1, "Lower bound.")
    high: int = option(2, "Upper bound.")

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InvalidValue(f"must not be over high ({self.high})", "low")


def filled(text: str = "", environ: Mapping[str, str] | None = None, **checks: Any) -> Filled:
    document = yaml_source.load(dedent(text), "conf/tocsin.yaml")
    named = {key.replace("__", "."): check for key, check in checks.items()}
    return fill({"pump": Pump, "valve": Valve}, document, environ or {}, "TOCSIN_", named)


def problems_of(
    text: str = "", environ: Mapping[str, str] | None = None, **checks: Any
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        filled(text, environ, **checks)
    return [str(problem) for problem in caught.value.problems]


def test_without_anything_all_is_as_declared() -> None:
    result = filled()

    assert result.sections == {"pump": Pump(), "valve": Valve()}
    assert set(result.origins.values()) == {"default"}
    assert set(result.origins) >= {"pump.name", "valve.high"}


def test_environment_goes_before_file_and_file_before_default() -> None:
    text = """
        pump:
          name: file
          speed: 3
        valve:
    """
    result = filled(text, {"TOCSIN_PUMP_NAME": "environment"})

    assert result.sections["pump"] == Pump(name="environment", speed=3)
    assert result.origins["pump.name"] == "environment TOCSIN_PUMP_NAME"
    assert result.origins["pump.speed"] == "conf/tocsin.yaml:4"
    assert result.origins["pump.ratio"] == "default"


def test_a_file_gives_every_kind_of_value() -> None:
    result = filled("""
        pump: {name: x, speed: 2, ratio: 1, running: true, taps: [c], delays: [1, 2.5],
               labels: {a: [1]}, limit: null, code: s3cret, colour: green}
    """)

    expected = Pump(
        name="x", speed=2, ratio=1.0, running=True, taps=("c",), delays=(1.0, 2.5),
        labels={"a": [1]}, limit=None, code="s3cret", colour="green",
    )  # fmt: skip
    assert result.sections["pump"] == expected
    assert type(result.sections["pump"].ratio) is float


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "12", "12"),
        ("name", "null", "null"),
        ("speed", "12", 12),
        ("ratio", "1", 1.0),
        ("ratio", "2.5e1", 25.0),
        ("running", "true", True),
        ("running", "No", False),
        ("running", "1", True),
        ("taps", "c", ("c",)),
        ("taps", "a, b,", ("a", "b")),
        ("taps", "[a, 'b']", ("a", "b")),
        ("taps", "[]", ()),
        ("delays", "5,300", (5.0, 300.0)),
        ("labels", '{"x-queue-type": "quorum"}', {"x-queue-type": "quorum"}),
        ("labels", "{x: 1}", {"x": 1}),
        ("limit", "7", 7),
        ("plan", "a/b.yaml", "a/b.yaml"),
    ],
)
def test_a_variable_spells_every_kind_of_value(name: str, text: str, value: object) -> None:
    result = filled(environ={f"TOCSIN_PUMP_{name.upper()}": text})

    assert getattr(result.sections["pump"], name) == value


def test_an_empty_variable_is_not_set() -> None:
    result = filled("pump: {name: file}", {"TOCSIN_PUMP_NAME": "", "TOCSIN_PUMP_TAPS": " "})

    assert result.sections["pump"] == Pump(name="file")
    assert result.origins["pump.name"] == "conf/tocsin.yaml:1"


def test_a_relative_path_in_a_file_is_meant_from_that_files_folder() -> None:
    assert filled("pump: {plan: p.yaml}").sections["pump"].plan == "conf/p.yaml"
    assert filled("pump: {plan: /etc/p.yaml}").sections["pump"].plan == "/etc/p.yaml"
    assert filled("pump: {plan: ''}").sections["pump"].plan == ""


def test_every_problem_of_file_and_environment_is_reported_at_once() -> None:
    text = """\
        pump:
          name: 12
          sped: 3
          speed: 0
          ratio: .nan
          running: "yes"
          taps: [a, bb, 3]
          delays: 5
          labels: []
          limit: many
          code: [s3cret]
          colour: gren
        pumps:
        valve: [1]
    """
    environ = {"TOCSIN_VALVE_LOW": "x", "TOCSIN_VALVE_HIGH": "1.5"}

    assert problems_of(text, environ) == [
        "conf/tocsin.yaml:2:9 pump.name: expects text, not 12. Put it in quotes.",
        "conf/tocsin.yaml:3:3 pump.sped: unknown setting. Use one of name, speed, ratio, "
        "running, taps, delays, labels, limit, code, colour, plan. Did you mean 'speed'?",
        "conf/tocsin.yaml:4:10 pump.speed: must be at least 1, not 0.",
        "conf/tocsin.yaml:5:10 pump.ratio: expects a number, not nan.",
        "conf/tocsin.yaml:6:12 pump.running: expects true or false, not 'yes'.",
        "conf/tocsin.yaml:7:13 pump.taps[1]: unknown value 'bb'. Use one of a, b, c. "
        "Did you mean 'b'?",
        "conf/tocsin.yaml:7:17 pump.taps[2]: expects text, not 3. Put it in quotes.",
        "conf/tocsin.yaml:8:11 pump.delays: expects a list of numbers, not 5.",
        "conf/tocsin.yaml:9:11 pump.labels: expects a mapping, not a list.",
        "conf/tocsin.yaml:10:10 pump.limit: expects a whole number, not 'many'.",
        "conf/tocsin.yaml:11:9 pump.code: expects text, not what is given.",
        "conf/tocsin.yaml:12:11 pump.colour: unknown value 'gren'. Use one of red, green. "
        "Did you mean 'green'?",
        "conf/tocsin.yaml:13:1 pumps: unknown section. Use one of pump, valve. "
        "Did you mean 'pump'?",
        "conf/tocsin.yaml:14:8 valve: expects a mapping of settings, each on an indented line.",
        "environment TOCSIN_VALVE_LOW: expects a whole number, not 'x'.",
        "environment TOCSIN_VALVE_HIGH: expects a whole number, not '1.5'.",
    ]


def test_nothing_is_no_value_where_a_value_is_needed() -> None:
    assert problems_of("pump:\n  speed:\n") == [
        "conf/tocsin.yaml:2:9 pump.speed: expects a whole number, not nothing. "
        "Take the line out for the default."
    ]


def test_a_file_of_another_kind_is_refused() -> None:
    problem = "conf/tocsin.yaml:1:1: expects a mapping of sections, as 'log:'."
    assert problems_of("- pump") == [problem]


def test_values_that_do_not_go_together_are_reported_where_they_stand() -> None:
    assert problems_of("valve:\n  low: 3") == [
        "conf/tocsin.yaml:2:8 valve.low: must not be over high (2)"
    ]
    assert problems_of(environ={"TOCSIN_VALVE_HIGH": "0"}) == [
        "settings valve.low: must not be over high (0)"
    ]


def test_a_check_is_made_beside_the_others_and_on_every_item() -> None:
    def check(value: str) -> None:
        raise InvalidValue(f"{value} is no good")

    problems = problems_of(
        "pump: {name: x, speed: 0, taps: [a, b]}", pump__name=check, pump__taps=check
    )

    assert problems == [
        "conf/tocsin.yaml:1:14 pump.name: x is no good",
        "conf/tocsin.yaml:1:24 pump.speed: must be at least 1, not 0.",
        "conf/tocsin.yaml:1:34 pump.taps[0]: a is no good",
        "conf/tocsin.yaml:1:37 pump.taps[1]: b is no good",
    ]


def test_an_error_shows_no_password() -> None:
    assert problems_of("pump: {speed: 'amqp://u:s3cret@h/'}") == [
        "conf/tocsin.yaml:1:15 pump.speed: expects a whole number, not 'amqp://u:***@h/'."
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(
    content=st.dictionaries(st.sampled_from([*Pump.__dataclass_fields__, "x"]), VALUES),
    environ=st.dictionaries(
        st.sampled_from([f"TOCSIN_PUMP_{name.upper()}" for name in Pump.__dataclass_fields__]),
        st.text(max_size=8),
    ),
)
def test_anything_fills_or_is_refused_with_problems(
    content: dict[str, object], environ: dict[str, str]
) -> None:
    document = yaml_source.Document("tocsin.yaml", {"pump": content}, None)
    try:
        outcome = fill({"pump": Pump}, document, environ, "TOCSIN_").sections["pump"]
    except ConfigError as error:
        outcome = error.problems[0]

    assert type(outcome).__name__ in {"Pump", "Problem"}
