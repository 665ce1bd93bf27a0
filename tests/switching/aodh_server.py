"""An Aodh to bring alarms over from: recorded answers of Aodh 23.0.0, or the real one.

The real one runs, without Keystone and on SQLite, with the interpreter of an environment that has
`aodh`: `TOCSIN_TEST_AODH_PYTHON=/path/to/python`.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

ADMIN = {"X-Roles": "admin", "X-User-Id": "u1"}
_SERVE = """
import sys
from wsgiref.simple_server import make_server
from aodh import service
from aodh.api import app
conf = service.prepare_service([], config_files=[sys.argv[1]])
server = make_server("127.0.0.1", 0, app.load_app(conf))
print("serving", server.server_port, flush=True)
server.serve_forever()
"""
_CONF = """
[DEFAULT]
transport_url = fake://
[database]
connection = sqlite:///{path}/aodh.sqlite
[api]
auth_mode = noauth
"""


def an_alarm(number: int, project: str, **changes: Any) -> dict[str, Any]:
    """An alarm as Aodh 23.0.0 answers it."""
    return {
        "alarm_id": f"{number:08}-dc0b-4b92-8281-6fbf5251599b",
        "name": f"alarm {number}",
        "description": "Alarm when x event occurred.",
        "enabled": True,
        "ok_actions": [],
        "alarm_actions": ["http://u:geheim@h.example/x"],
        "insufficient_data_actions": [],
        "repeat_actions": False,
        "type": "event",
        "time_constraints": [],
        "project_id": project,
        "user_id": "u1",
        "timestamp": "2026-01-02T07:19:57.843318",
        "state": "insufficient data",
        "state_timestamp": "2026-01-02T07:19:57.843318",
        "state_reason": "Not evaluated yet",
        "severity": "low",
        "evaluate_timestamp": "2026-01-02T07:19:58.154937",
        "event_rule": {"event_type": "x", "query": []},
        **changes,
    }


@contextmanager
def recorded(alarms: list[dict[str, Any]]) -> Iterator[str]:
    """A server that answers as Aodh does, for admins only; its address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {
                name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            if self.headers.get("X-Roles") != "admin" and not self.headers.get("X-Auth-Token"):
                self.say(403, {"error_message": {"faultstring": "RBAC Authorization Failed"}})
                return
            assert asked["sort"] == "alarm_id:asc"
            after = [each for each in alarms if each["alarm_id"] > asked.get("marker", "")]
            self.say(200, after[: int(asked["limit"])])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = body["auth"]["identity"]["password"]["user"]
            if self.path != "/v3/auth/tokens" or user["password"] != "geheim":
                self.say(401, {"error": {"message": "The request requires authentication."}})
                return
            self.say(201, {"token": {}}, {"X-Subject-Token": "gAAA"})

        def say(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def real(python: str, path: Path, alarms: list[dict[str, Any]]) -> Iterator[str]:
    """Aodh itself, with these alarms; its address."""
    conf = path / "aodh.conf"
    conf.write_text(_CONF.format(path=path))
    upgrade = [str(Path(python).with_name("aodh-dbsync")), "--config-file", str(conf)]
    subprocess.run(upgrade, check=True, capture_output=True, timeout=120)
    line = [python, "-c", _SERVE, str(conf)]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            told = iter(process.stdout.readline, "")
            serving = next(line for line in told if line.startswith("serving "))
            url = f"http://127.0.0.1:{serving.split()[1]}"
            for alarm in alarms:
                headers = {**ADMIN, "X-Project-Id": alarm["project_id"]}
                made = requests.post(f"{url}/v2/alarms", json=alarm, headers=headers, timeout=30)
                assert made.status_code == 201, made.text
            yield url
        finally:
            process.terminate()
