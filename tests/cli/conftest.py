"""What the tests of the commands share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import structlog

from pipeline.access import LOCAL
from pipeline.access.settings import ApiSettings, ClientSettings
from pipeline.api import ApiServer, make_app
from pipeline.desk import Desk, LocalDesk
from pipeline.remote import Connection, RemoteDesk
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore

from builders import NOON
from cli.application import At, TestApplication


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    """A real store, new and empty, at noon."""
    store = SqlStore.open(DatabaseSettings(url=sqlite_url), clock=lambda: NOON)
    yield store
    store.close()


@pytest.fixture(params=["local", "remote"])
def at(request: pytest.FixtureRequest) -> Iterator[At]:
    """Gives an application each kind of desk in turn: commands show the same at both."""
    with ExitStack() as opened:

        def desk(application: TestApplication) -> Desk:
            if request.param == "local":
                return LocalDesk(application)
            return opened.enter_context(_served(application))

        yield desk


@contextmanager
def _served(application: TestApplication) -> Iterator[Desk]:
    """A desk that asks a server, on loopback, for what the application has."""
    settings, log = ApiSettings(port=0), structlog.ReturnLogger()
    server = ApiServer(make_app(application, lambda _: LOCAL, settings, log), settings, log)
    thread = threading.Thread(target=server.run)
    thread.start()
    connection = Connection(ClientSettings(server=f"http://127.0.0.1:{server.port}"))
    try:
        yield RemoteDesk(connection)
    finally:
        connection.close()
        server.stop()
        thread.join()
