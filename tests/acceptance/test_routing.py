"""What people set up while Tocsin runs is in force at once, in processes of their own."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from pipeline.receiver import Receiver

from processes import TocsinProcess, tocsin
from waiting import eventually


def post(port: int, number: int) -> None:
    notification = {
        "message_id": f"m-{number}",
        "publisher_id": "storage",
        "event_type": "disk.full",
        "priority": "ERROR",
        "payload": {"host": f"storage-{number}"},
        "timestamp": "2026-01-02 12:00:00.000000",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/events",
        data=json.dumps(notification).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 202, 204)


def test_matcher_that_is_made_while_tocsin_runs_sends_alarms_to_its_target(
    database_url: str, tmp_path: Path
) -> None:
    environment = {"TOCSIN_DATABASE_URL": database_url, "TOCSIN_HTTP_PORT": "0"}

    def run(*arguments: str) -> Any:
        return tocsin(*arguments, environment=environment)

    with (
        Receiver() as receiver,
        TocsinProcess("run", environment=environment, log_path=tmp_path / "run.log") as process,
    ):
        port = process.wait_for_log("http.listening")["port"]
        run(
            *("target", "create", "hook", "--type", "webhook"),
            *("--set", f"url={receiver.url}/hook", "--set", "body={{ title }}"),
        )
        run("matcher", "create", "storage", "--match-field", "regex:service=^storage",
            "--target", "hook")  # fmt: skip
        run("alarm", "create", "--name", "disk full", "--event-type", "disk.*", "--severity",
            "critical", "--repeat-actions", "True")  # fmt: skip
        process.wait_for_log("alarms.changed")
        eventually(
            lambda: any(
                line.get("event") == "routing.changed" and line["revision"] == 2
                for line in process.log()
            ),
            "target and matcher are in force",
        )

        post(port, 1)

        (callback,) = receiver.wait_for(1, 30)
        assert callback.path == "/hook"
        assert "disk full" in callback.body.decode()
        explained = json.loads(
            run("route", "explain", run("delivery", "list", "-f", "value", "-c",
                "delivery_id").strip(), "-f", "json")
        )  # fmt: skip
        assert {(row["name"], row["takes"]) for row in explained} >= {
            ("storage", True),
            ("default-matcher", False),
            ("target:hook", True),
        }
        assert process.terminate() == 0
