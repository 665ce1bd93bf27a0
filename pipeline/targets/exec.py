"""Exec: `exec:///path/of/program?argument=…` actions start a local program.

The program gets the notification as JSON on standard input (`pipeline.targets.document`). Off
unless `delivery.exec` names the program or the folder that it lies in, and never for an action
that somebody else than an admin set. No shell ever reads a word of it; its environment holds
nothing of Tocsin's. Its exit status says what became of the notification: 0 delivered, 64 and 65
(EX_USAGE, EX_DATAERR) refused, any other failed, 75 (EX_TEMPFAIL) among them.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from marshmallow import ValidationError, fields
from marshmallow.validate import Range

from pipeline.errors import InvalidValue
from pipeline.masking import mask_url
from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import options
from pipeline.targets.base import Tools
from pipeline.targets.document import document
from pipeline.targets.options import TargetSchema

_KEPT_BYTES: Final = 1024
_REFUSES: Final = frozenset({os.EX_USAGE, os.EX_DATAERR})
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_LOOK_SECONDS: Final = 0.1


def _check_program(path: str) -> None:
    if not path.startswith("/") or os.path.normpath(path) != path or "\0" in path:
        raise ValidationError("Give the whole path of a program, as /usr/local/bin/page-someone.")


def _check_argument(argument: str) -> None:
    if "\0" in argument:
        raise ValidationError("No argument can hold a NUL character.")


class ExecSchema(TargetSchema):
    """The options of a program."""

    program = options.text(required=True, validate=_check_program)
    arguments = fields.List(fields.String(validate=_check_argument), load_default=list)
    timeout = fields.Float(
        load_default=10.0,
        validate=Range(min=0, min_inclusive=False, error="Give more than 0 seconds."),
    )


class ExecTarget:
    """Starts a local program with what is told on standard input."""

    schema = ExecSchema
    heeds_guard = True

    def __init__(self, options: Mapping[str, Any], tools: Tools) -> None:
        self._program: str = options["program"]
        self._command = [self._program, *options["arguments"]]
        self._templates, self._allowed = tools.templates, tools.settings.exec
        self._seconds = min(options["timeout"], tools.settings.longest_attempt_seconds)

    @staticmethod
    def options_of(action: str) -> Mapping[str, Any]:
        """The program and its arguments. Raises `InvalidValue` where a host is named."""
        parts = urlsplit(action)
        if parts.netloc not in ("", "localhost"):
            raise InvalidValue("Write three slashes, as exec:///usr/local/bin/page-someone")
        query = parse_qs(parts.query, keep_blank_values=True)
        found: dict[str, Any] = {name: values[-1] for name, values in query.items()}
        found.pop("argument", None)
        return {**found, "program": unquote(parts.path), "arguments": query.get("argument", [])}

    def deliver(self, delivery: Delivery) -> Outcome:
        """Start it, and wait until it has ended."""
        if delivery.guarded:
            return Refused(
                "only an admin may have a program started: let one set up a target", asked=False
            )
        if not _is_allowed(self._program, self._allowed):
            return Refused(
                f"{self._program} may not be started. An admin can name it, or the folder that"
                " it lies in, in delivery.exec",
                asked=False,
            )
        try:
            told = document(delivery, self._templates)
            ended = _run(self._command, told + b"\n", self._seconds)
        except InvalidValue as error:
            return Refused(str(error), asked=False)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            return Failed(f"{self._program} cannot be started: {why.lower()}")
        return self._judge(ended)

    def close(self) -> None:
        """Nothing to let go of."""

    def _judge(self, ended: _Ended) -> Outcome:
        status, said = ended
        if status is None:
            return Failed(f"{self._program} took longer than {self._seconds:g} s", None, said)
        if status == 0:
            return Delivered(response_head=said)
        if status < 0:
            return Failed(f"{self._program} was ended by signal {-status}", None, said)
        outcome = Refused if status in _REFUSES else Failed
        return outcome(f"{self._program} ended with status {status}", None, said)


class _Ended(NamedTuple):
    """How a program ended: its status, that of a signal negative, None if it was ended by us as
    it took too long; and the beginning of what it said."""

    status: int | None
    said: str


def _is_allowed(program: str, allowed: Sequence[str]) -> bool:
    """Whether a program is named, or lies in a folder that is. A link there is as good as a
    program: whoever may put it there decides."""
    there = Path(program).parent.resolve() / Path(program).name
    named = [Path(each).parent.resolve() / Path(each).name for each in allowed]
    return there in named or any(there.is_relative_to(Path(each).resolve()) for each in allowed)


def _run(command: Sequence[str], told: bytes, seconds: float) -> _Ended:
    """Run it. Raises `OSError` where it cannot be started.

    It leads a process group of its own, which is killed as a whole when time is up. What it
    leaves running after its end is left alone.
    """
    end = monotonic() + seconds
    with tempfile.TemporaryFile() as standard_input:
        # A file, not a pipe: a program that does not read holds nobody up.
        standard_input.write(told)
        standard_input.seek(0)
        process = subprocess.Popen(
            command,
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    with process:
        assert process.stdout is not None
        said = _heard(process, process.stdout, end)
        try:
            status: int | None = process.wait(max(end - monotonic(), 0))
        except subprocess.TimeoutExpired:
            # Not waited for yet, so the group's number is still its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = None
    return _Ended(status, _shown(said))


def _heard(process: subprocess.Popen[bytes], output: IO[bytes], end: float) -> bytes:
    """The beginning of what it says, until it ends or time is up; the rest is thrown away."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while (left := end - monotonic()) > 0:
            if selector.select(min(left, _LOOK_SECONDS)):
                part = os.read(output.fileno(), 65_536)
                said += part[: _KEPT_BYTES - len(said)]
                if not part:
                    break
            elif process.poll() is not None:
                break  # something that it left running holds the pipe
    return said


def _shown(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return mask_url(
        "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    )
