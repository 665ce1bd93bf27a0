"""docs/api.md: every command in it runs as it is written, against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pipeline.access import LOCAL
from pipeline.access.settings import ApiSettings
from pipeline.api import ApiServer, make_app
from pipeline.store.sql import SqlStore

from cli.application import TestApplication

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def server(store: SqlStore) -> Iterator[str]:
    settings, log = ApiSettings(port=0), structlog.ReturnLogger()
    app = make_app(TestApplication(store), lambda _: LOCAL, settings, log)
    served = ApiServer(app, settings, log)
    thread = threading.Thread(target=served.run)
    thread.start()
    yield f"http://127.0.0.1:{served.port}"
    served.stop()
    thread.join()


def commands() -> list[str]:
    """What stands behind the prompts of all console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_every_command_of_the_page_runs_as_it_is_written(server: str, tmp_path: Path) -> None:
    found = commands()
    assert len(found) > 10
    (here := tmp_path / "here").mkdir()
    where = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": where, "TOCSIN_SERVER": server, "TOCSIN_TOKEN": "t", "HOME": "/none"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(["set -x", *found])],
        env=environment,
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert '"outcome":"delivered"' in done.stdout
    assert '"severity":"moderate"' in done.stdout
    assert list(here.iterdir()) == []  # no database: a server was asked
