"""Logs: their form, what libraries log, and that they hold no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from pipeline.logs import LogSettings, configure


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("pika", "sqlalchemy", "sqlalchemy.pool", "alembic", "waitress", "urllib3",
                 "urllib3.connectionpool"):  # fmt: skip
        logging.getLogger(name).setLevel(logging.NOTSET)


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_file_or_pipe_gets_a_json_object_a_line() -> None:
    configure(LogSettings(), stream := io.StringIO())

    structlog.get_logger().info("rabbitmq.connected", broker="localhost", prefetch=1000)

    (line,) = logged(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "rabbitmq.connected",
        "broker": "localhost",
        "prefetch": 1000,
        "level": "info",
    }


def test_a_terminal_gets_lines_for_people() -> None:
    configure(LogSettings(), stream := Terminal())

    structlog.get_logger().warning("store.unavailable", next_try_seconds=0.1)

    assert "store.unavailable" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_console_without_a_terminal_has_no_colours() -> None:
    configure(LogSettings(format="console"), stream := io.StringIO())

    structlog.get_logger().info("started")

    assert "started" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_json_on_a_terminal_is_json() -> None:
    configure(LogSettings(format="json"), stream := Terminal())

    structlog.get_logger().info("started")

    assert logged(stream)[0]["event"] == "started"


@pytest.mark.parametrize(
    ("level", "events"), [("debug", ["a", "b", "c"]), ("info", ["b", "c"]), ("error", ["c"])]
)
def test_less_urgent_lines_are_left_out(level: str, events: list[str]) -> None:
    configure(LogSettings(level=level), stream := io.StringIO())

    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.error("c")

    assert [line["event"] for line in logged(stream)] == events


def test_libraries_log_in_the_same_form_and_the_chatty_ones_only_warn() -> None:
    configure(LogSettings(level="debug"), stream := io.StringIO())

    logging.getLogger("some.library").info("did %s", "this")
    logging.getLogger("urllib3.util").info("every request")
    logging.getLogger("urllib3.util").warning("odd answer")

    lines = [(line["logger"], line["event"]) for line in logged(stream)]
    assert lines == [("some.library", "did this"), ("urllib3.util", "odd answer")]


def test_lost_connection_is_told_by_us_alone() -> None:
    """rabbitmq.unavailable, store.unavailable: once each, and not as an error when it may pass."""
    configure(LogSettings(level="debug"), stream := io.StringIO())

    logging.getLogger("pika.adapters.blocking_connection").error("Connection workflow failed")
    logging.getLogger("sqlalchemy.pool.impl").error("Exception during reset or similar")

    assert logged(stream) == []


def test_no_value_shows_a_secret() -> None:
    configure(LogSettings(), stream := io.StringIO())
    log = structlog.get_logger().bind(database="postgresql://t:s3cret@db/t")

    log.info(
        "started",
        brokers=["amqp://u:s3cret@h/"],
        headers={"token": "s3cret"},
        password="s3cret",
        error=OSError("no answer from amqp://u:s3cret@h/"),
    )
    logging.getLogger("a.library").error("cannot reach %s", "amqp://u:s3cret@h/")
    try:
        raise RuntimeError("https://h/?token=s3cret")
    except RuntimeError:
        log.exception("failed")

    assert "s3cret" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 7
    assert "RuntimeError" in logged(stream)[-1]["exception"]


def test_configuring_again_replaces_and_does_not_repeat_lines() -> None:
    configure(LogSettings(), io.StringIO())
    configure(LogSettings(), stream := io.StringIO())

    structlog.get_logger().info("once")

    assert [line["event"] for line in logged(stream)] == ["once"]


def test_a_sink_that_is_away_is_told_by_us_and_not_by_each_try_of_urllib3() -> None:
    configure(LogSettings(), stream := io.StringIO())

    logging.getLogger("urllib3.connectionpool").warning("Retrying (Retry(total=1, …")

    assert logged(stream) == []
