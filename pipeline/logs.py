"""Logs: lines for people on a terminal, JSON lines otherwise, always on standard error.

`configure` is called once, by the composition root. What libraries log through the standard
library comes out the same way; no line shows a secret that stands in a URL or is named as one.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pipeline.masking import MASK, is_secret_name, mask_url, masked
from pipeline.options import option

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

# They tell of every frame, statement or request; what matters of it our own parts tell.
_QUIETED = ("sqlalchemy", "alembic", "waitress", "urllib3")
# They call every lost connection an error, in many lines with tracebacks, each time it is tried
# again. Whether it is one, and when it is over, our own parts say.
_SILENCED = ("pika", "sqlalchemy.pool", "urllib3.connectionpool")
_HANDLER = "tocsin"
_HEAD = ("timestamp", "level", "event")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and in which form."""

    level: str = option("info", "The least urgent level that is logged.", choices=tuple(_LEVELS))
    format: str = option(
        "auto",
        "console: lines for people; json: a JSON object a line; auto: console on a terminal, "
        "json elsewhere.",
        choices=("auto", "console", "json"),
    )


def configure(
    settings: LogSettings, stream: TextIO | None = None, *, worker: int | None = None
) -> None:
    """Send all logs of this process to `stream` (standard error). May be called again.

    Each line says which of several workers this process is, where it is one.
    """
    stream = stream or sys.stderr
    level = _LEVELS[settings.level]
    people = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    structlog.configure(
        processors=[*_enriching(worker), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _configure_standard_library(level, stream, _enriching(worker), _rendering(people, stream))


def mask_secrets(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """A processor: every value of the line as it may be shown, `***` where a secret was."""
    return {name: _shown(name, value) for name, value in line.items()}


def _head_first(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
    """When, how urgent and what come first, for whoever reads JSON with bare eyes."""
    return {**{name: line[name] for name in _HEAD if name in line}, **line}


def _shown(name: str, value: Any) -> Any:
    # What begins with _ is structlog's own, taken out again before the line is written.
    if name.startswith("_") or value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return MASK if value and is_secret_name(name) else mask_url(value)
    if isinstance(value, (dict, list, tuple)):
        return masked(value)
    return mask_url(str(value))


def _enriching(worker: int | None) -> list[Processor]:
    """What every line gets, whoever logs it."""

    def numbered(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        return line if worker is None else {**line, "worker": worker}

    return [
        numbered,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]


def _rendering(people: bool, stream: TextIO) -> Processor:
    if not people:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _configure_standard_library(
    level: int, stream: TextIO, enriching: list[Processor], rendering: Processor
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *enriching],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _head_first,
            rendering,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.set_name(_HANDLER)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.get_name() == _HANDLER]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIETED:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
