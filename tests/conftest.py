"""What all tests share: the servers they run against, and the word on what could not be tested.

A test that needs a server asks for `amqp_url` or `postgresql_url`. Where none answers it is
skipped, the last lines of the run say which promises that leaves untested, and with CI=true the
run fails.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pika
import pika.exceptions
import psycopg
import pytest

pytest_plugins = ["listeners.rabbitmq_server", "listeners.redis_server"]

# How long an example takes says something of the machine, and nothing of the code.
hypothesis.settings.register_profile(
    "tocsin", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tocsin")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass(frozen=True)
class Server:
    """A server that tests need: where it is, which promises need it, how a person starts it."""

    variable: str
    default: str
    promises: str
    start: str

    @property
    def url(self) -> str:
        return os.environ.get(self.variable, self.default)


RABBITMQ = Server(
    "TOCSIN_TEST_AMQP_URL",
    "amqp://guest:guest@127.0.0.1:5672/%2F",
    "events come off a real RabbitMQ, and none is lost when it or a listener dies",
    "docker run -d -p 5672:5672 rabbitmq:3   (or: apt-get install rabbitmq-server)",
)
POSTGRESQL = Server(
    "TOCSIN_TEST_POSTGRESQL_URL",
    "postgresql://postgres@127.0.0.1:5432/postgres",
    "the store keeps its promises on PostgreSQL, and with several processes",
    "docker run -d -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:16"
    "   (or: apt-get install postgresql)",
)
_missing: dict[Server, str] = {}
_absent: list[str] = []


def _unreachable(server: Server, error: Exception) -> str:
    _missing[server] = str(error).strip() or type(error).__name__
    return f"no server at {server.variable}: {_missing[server]}"


@pytest.fixture(scope="session")
def skip_without() -> Callable[..., NoReturn]:
    """Skips what needs a server that is not here, and lets the end of the run say so.

    `skip_without(error, variable=…, default=…, promises=…, start=…)`; see `Server`.
    """

    def skip(error: Exception, **server: str) -> NoReturn:
        pytest.skip(_unreachable(Server(**server), error))

    return skip


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The URL of a real RabbitMQ. Use exchanges and topics of your own: see `topic`."""
    parameters = pika.URLParameters(RABBITMQ.url)
    parameters.socket_timeout = 5
    try:
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.AMQPError, OSError) as error:
        pytest.skip(_unreachable(RABBITMQ, error))
    return RABBITMQ.url


@pytest.fixture
def topic(amqp_url: str) -> Iterator[str]:
    """A topic name of this test's own; its queues and the exchange of that name go afterwards."""
    name = f"tocsin_test_{uuid.uuid4().hex[:12]}"
    yield name
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    for priority in ("audit", "debug", "info", "warn", "error", "critical", "sample"):
        channel.queue_delete(f"{name}.{priority}")
    channel.exchange_delete(name)
    connection.close()


@pytest.fixture(scope="session")
def _postgresql_database() -> Iterator[str]:
    """A PostgreSQL database of this run's own. One for all tests: making one takes a second."""
    name = f"tocsin_test_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(POSTGRESQL.url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(_unreachable(POSTGRESQL, error))
    with server:
        server.execute(f"CREATE DATABASE {name}")
        yield f"{POSTGRESQL.url.rsplit('/', 1)[0]}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgresql_url(_postgresql_database: str) -> str:
    """An empty PostgreSQL database that nobody else is connected to (a SQLAlchemy URL)."""
    url = _postgresql_database
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new SQLite database file of this test's own."""
    return f"sqlite:///{tmp_path / 'tocsin.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn, new and empty: the contract is the same on both."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The captured notifications and Ceilometer's reading of them, where this machine has them."""
    data = SHARED / "data"
    if not data.is_dir():
        _absent.append("the traits of every captured service are those that Ceilometer makes")
        pytest.skip("the captured notifications of ../shared/data are not here")
    return data


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    """Say what tests report of themselves, and as the last thing which promises this run did
    not test."""
    yield
    for test in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        said = [str(text) for name, text in test.user_properties if name == "report"]
        if said and test.when == "call":
            terminalreporter.section(test.nodeid.rpartition("::")[2])
            terminalreporter.line("\n".join(said))
    for server, error in _missing.items():
        terminalreporter.section("NOT TESTED", red=True, bold=True)
        terminalreporter.line(f"Promise:  {server.promises}.")
        terminalreporter.line(f"Because:  no server answered at {server.variable} ({error}).")
        terminalreporter.line(f"To start: {server.start}")
    for promise in dict.fromkeys(_absent):
        terminalreporter.section("NOT TESTED", red=True, bold=True)
        terminalreporter.line(f"Promise:  {promise}.")
        terminalreporter.line(
            "Because:  the captured notifications of ../shared/data are not here."
        )


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a promise that was not tested is a failure. What one of several parallel processes
    could not test it tells the one that sums up."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["missing"] = [(astuple(server), error) for server, error in _missing.items()]
        output["absent"] = list(_absent)
    elif _missing and os.environ.get("CI", "").lower() == "true" and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all tests of a file that need a RabbitMQ node of their own: a node
    takes seconds to start."""
    for item in items:
        if "own_rabbitmq" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


class FromParallelProcesses:
    """Takes in what the processes of pytest-xdist could not test; a plugin of the one that sums
    up, since without pytest-xdist there is no such hook."""

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        output = getattr(node, "workeroutput", {})
        _missing.update((Server(*server), text) for server, text in output.get("missing", ()))
        _absent.extend(output.get("absent", ()))


def pytest_configure(config: pytest.Config) -> None:
    """Listen to parallel processes, where there are any."""
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(FromParallelProcesses())
