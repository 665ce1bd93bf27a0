"""A RabbitMQ node of the tests' own, to be stopped, killed and given users, hosts and policies.

    from listeners.rabbitmq_server import OwnRabbitmq

    def test_a_restart_loses_nothing(own_rabbitmq: OwnRabbitmq) -> None: ...

The fixture is everybody's (conftest names this module as a plugin). One node serves the whole
run, and is up whenever a test begins. It needs the `rabbitmq-server`
program (the package of that name); where that is missing the test is skipped, which fails in CI.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pika
import pika.exceptions
import pytest
import trustme

from ports import lasting_port

_DEADLINE_SECONDS = 90
_STARTING = "requires the 'rabbit' app to be running"
_PACKAGE_FOLDER = Path("/usr/lib/rabbitmq/bin")


class OwnRabbitmq:
    """One RabbitMQ node on loopback, plain and TLS; its data survive `stop` and `kill`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self.tls_port, distribution_port = (lasting_port() for _ in range(3))
        self.ca_file = folder / "ca.pem"
        self._name = f"tocsin-test-{os.getpid()}@localhost"
        self._pid_file = folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RABBITMQ_")},
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(self._pid_file),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1",
        }
        self._write_files()

    @property
    def url(self) -> str:
        """The AMQP URL of its first virtual host, for its administrator."""
        return self.url_of()

    @property
    def tls_url(self) -> str:
        """The same over TLS; `ca_file` holds the authority that signed its certificate."""
        return f"amqps://guest:guest@localhost:{self.tls_port}/%2F"

    def url_of(self, user: str = "guest", password: str = "guest", vhost: str = "%2F") -> str:
        """The AMQP URL for this user and virtual host."""
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{vhost}"

    def start(self) -> None:
        """Start the node, and wait until it takes connections. Nothing if it runs."""
        if self._process is not None:
            return
        self._pid_file.unlink(missing_ok=True)
        with (self._folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [_program("rabbitmq-server")],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._answers():
            ended = self._process.poll()
            assert ended is None, f"rabbitmq-server ended with {ended}: {self._console()}"
            assert time.monotonic() < deadline, f"rabbitmq-server is not up: {self._console()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the node in an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def rabbitmqctl(self, *arguments: str) -> str:
        """What `rabbitmqctl ARGUMENTS` prints."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            done = subprocess.run(
                [_program("rabbitmqctl"), "-q", "-n", self._name, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_DEADLINE_SECONDS,
                text=True,
            )
            if done.returncode == 0:
                return done.stdout
            # A node takes connections a moment before it says of itself that it is up.
            starting = _STARTING in done.stdout + done.stderr and time.monotonic() < deadline
            assert starting, f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}"

    def _write_files(self) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(self.ca_file)
        certificate.private_key_and_cert_chain_pem.write_to_path(self._folder / "server.pem")
        (self._folder / "enabled_plugins").write_text("[].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {self.ca_file}\n"
            f"ssl_options.certfile = {self._folder / 'server.pem'}\n"
            f"ssl_options.keyfile = {self._folder / 'server.pem'}\n"
            "ssl_options.verify = verify_none\n"
        )
        for name in ("data", "log"):
            (self._folder / name).mkdir()
        if os.geteuid() == 0:
            # Started by root, RabbitMQ becomes the user that its package made.
            user, group = pwd.getpwnam("rabbitmq").pw_uid, grp.getgrnam("rabbitmq").gr_gid
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, user, group)

    def _answers(self) -> bool:
        parameters = pika.URLParameters(self.url)
        parameters.socket_timeout = 2
        try:
            pika.BlockingConnection(parameters).close()
        except (pika.exceptions.AMQPError, OSError):
            return False
        return self._pid_file.exists()

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        if self._process.poll() is None and self._pid_file.exists():
            os.kill(int(self._pid_file.read_text()), number)
        self._process.wait(_DEADLINE_SECONDS)
        self._process = None

    def _console(self) -> str:
        return (self._folder / "console").read_text(errors="replace")[-2000:]


@pytest.fixture(scope="session")
def rabbitmq_node(skip_without: Callable[..., NoReturn]) -> Iterator[OwnRabbitmq]:
    """The node itself, perhaps not up; ask for `own_rabbitmq` instead."""
    try:
        _program("rabbitmq-server")
        _program("rabbitmqctl")
    except FileNotFoundError as missing:
        skip_without(missing, **_NEEDED)
    # Not in pytest's folder: only its owner may enter that, and RabbitMQ becomes another user.
    with tempfile.TemporaryDirectory(prefix="tocsin-rabbitmq-") as folder:
        os.chmod(folder, 0o755)
        node = OwnRabbitmq(Path(folder))
        try:
            yield node
        finally:
            node.kill()


@pytest.fixture
def own_rabbitmq(rabbitmq_node: OwnRabbitmq) -> OwnRabbitmq:
    """The node of this run, up."""
    rabbitmq_node.start()
    return rabbitmq_node


_NEEDED: dict[str, Any] = {
    "variable": "the program rabbitmq-server",
    "default": "",
    "promises": "restarts, lost users, TLS and lost connections of RabbitMQ lose nothing",
    "start": "apt-get install rabbitmq-server",
}


def _program(name: str) -> str:
    """The program; for others than root not Debian's wrapper, which lets only root in."""
    packaged = _PACKAGE_FOLDER / name
    if os.geteuid() != 0 and packaged.exists():
        return str(packaged)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found
