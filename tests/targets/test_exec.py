"""`exec`: a local program, started without a shell, bounded, and only where an admin allows it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline import targets
from pipeline.errors import InvalidValue
from pipeline.notification import Delivered, Failed, Outcome, Refused

from builders import a_delivery, a_notification
from targets.making import made, options_of
from waiting import eventually

ALLOWED = {"exec": ("/bin/sh",)}


def outcome_of(script: str, *, settings: Any = ALLOWED, timeout: float = 5.0) -> Outcome:
    with made(
        "exec", settings=settings, program="/bin/sh", arguments=["-c", script], timeout=timeout
    ) as target:
        return target.deliver(a_delivery())


def test_the_program_reads_the_notification_as_json(tmp_path: Path) -> None:
    program = tmp_path / "tell"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/told\necho $# $2\n")
    program.chmod(0o755)
    delivery = a_delivery(notification=a_notification(alarm_name="$(touch no); `x` zoë"))
    settings = {"exec": (str(tmp_path),)}
    arguments = ["-x", "a b; $HOME"]
    with made("exec", settings=settings, program=str(program), arguments=arguments) as target:
        outcome = target.deliver(delivery)

    told = json.loads((tmp_path / "told").read_text(encoding="utf-8"))
    assert outcome == Delivered(response_head="2 a b; $HOME\n")
    assert told["delivery_id"] == delivery.delivery_id
    assert told["fields"]["alarm_name"] == "$(touch no); `x` zoë"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("exit 0", Delivered),
        ("exit 64", Refused),
        ("exit 65", Refused),
        ("exit 75", Failed),
        ("exit 1", Failed),
        ("kill -TERM $$", Failed),
    ],
)
def test_the_exit_status_says_what_became_of_it(script: str, outcome: type) -> None:
    assert isinstance(outcome_of(script), outcome)


def test_the_reason_says_how_it_ended_and_what_it_said() -> None:
    outcome = outcome_of("echo no such pager >&2; exit 75")

    assert outcome == Failed("/bin/sh ended with status 75", response_head="no such pager\n")


def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    outcome = outcome_of(
        f"sleep 60 & echo $! $$ > {tmp_path}/ids; echo started; sleep 60; true", timeout=0.5
    )

    assert outcome == Failed("/bin/sh took longer than 0.5 s", response_head="started\n")
    child, itself = map(int, (tmp_path / "ids").read_text().split())
    eventually(lambda: not (_runs(child) or _runs(itself)), "both are killed")


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    outcome = outcome_of(f"sleep 60 & echo $! > {tmp_path}/id; exit 0")

    left = int((tmp_path / "id").read_text())
    assert isinstance(outcome, Delivered)
    assert _runs(left)
    os.kill(left, 9)


def test_a_program_that_floods_is_heard_for_a_kib() -> None:
    outcome = outcome_of("yes no; exit 0", timeout=0.3)

    assert isinstance(outcome, Failed)
    assert len(outcome.response_head) == 1024


def test_a_program_that_never_reads_holds_nobody_up() -> None:
    with made("exec", settings=ALLOWED, program="/bin/sh", arguments=["-c", "exit 0"]) as target:
        outcome = target.deliver(a_delivery(notification=a_notification(reason="x" * 1_000_000)))

    assert isinstance(outcome, Delivered)


def test_its_environment_holds_nothing_of_tocsins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATABASE_URL", "postgresql://tocsin:hunter22@db/tocsin")

    outcome = outcome_of("env | cut -d = -f 1 | grep -v ^_ | sort | tr '\\n' ' '; pwd")

    assert outcome.response_head == "LANG PATH PWD /\n"


# --- what may be started -------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [(), ("/usr/local/bin",), ("/bin/s",), ("/bin/sh/sh",)])
def test_what_is_not_allowed_is_not_started(allowed: tuple[str, ...]) -> None:
    outcome = outcome_of("exit 0", settings={"exec": allowed})

    assert isinstance(outcome, Refused)
    assert "delivery.exec" in outcome.reason


@pytest.mark.parametrize("guard", ["none", "non-admins"])
def test_nobody_but_an_admin_has_a_program_started(guard: str, tmp_path: Path) -> None:
    settings = {**ALLOWED, "guard": guard}
    command = ["-c", f"touch {tmp_path}/started"]
    with made("exec", settings=settings, program="/bin/sh", arguments=command) as target:
        outcome = target.deliver(a_delivery(guarded=True))

    assert isinstance(outcome, Refused)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_missing_may_be_installed(tmp_path: Path) -> None:
    with made("exec", settings={"exec": (str(tmp_path),)}, program=f"{tmp_path}/no") as target:
        outcome = target.deliver(a_delivery())

    assert outcome == Failed(f"{tmp_path}/no cannot be started: no such file or directory")


@pytest.mark.parametrize(
    "program", ["sh", "bin/sh", "/bin/../bin/sh", "/bin//sh", "/bin/sh/", "", "/bin/\0"]
)
def test_only_a_whole_path_is_a_program(program: str) -> None:
    with pytest.raises(InvalidValue, match="whole path"):
        targets.loaded(targets.of_type("exec"), {"program": program})


def test_an_action_names_the_program_and_its_arguments() -> None:
    action = "exec:///usr/local/bin/page?argument=-v&argument=a%20b&argument=&timeout=3"

    assert options_of("exec", action) == {
        "program": "/usr/local/bin/page",
        "arguments": ["-v", "a b", ""],
        "timeout": 3.0,
    }


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
