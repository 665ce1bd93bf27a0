"""An AMQP broker: a real RabbitMQ behind a door that knows one user and password."""

import os
import ssl
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

import pika
import trustme

from targets import scenes
from targets.amqp_door import Door
from targets.contract import SECRET, Contract, Options

URL = os.environ.get("TOCSIN_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
PATH = urlsplit(URL).path


@contextmanager
def _works() -> Iterator[Options]:
    queue = f"told-{uuid.uuid4().hex}"
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    connection.channel().queue_declare(queue)
    with Door(URL, "teller", SECRET) as door:
        yield {**_options(f"amqp://127.0.0.1:{door.port}{PATH}"), "routing_key": queue}
    connection.channel().queue_delete(queue)
    connection.close()


@contextmanager
def _no_queue() -> Iterator[Options]:
    with Door(URL, "teller", SECRET) as door:
        yield _options(f"amqp://127.0.0.1:{door.port}{PATH}")


@contextmanager
def _refuses() -> Iterator[Options]:
    """The broker knows no such user."""
    parts = urlsplit(URL)
    yield _options(f"amqp://{parts.hostname}:{parts.port or 5672}{PATH}")


def _at(scene: str) -> Callable[[], AbstractContextManager[Options]]:
    @contextmanager
    def elsewhere() -> Iterator[Options]:
        with scenes.HTTP[scene]() as url:
            yield _options(f"amqp://{urlsplit(url).netloc}/")

    return elsewhere


@contextmanager
def _untrusted() -> Iterator[Options]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Door(URL, "teller", SECRET, context) as door:
        yield _options(f"amqps://127.0.0.1:{door.port}{PATH}")


def _options(url: str) -> Options:
    return {"url": url, "username": "teller", "password": SECRET, "routing_key": "told-nobody"}


CONTRACT = Contract(
    scenes={
        "works": _works,
        "unreachable": _at("unreachable"),
        "unknown_name": _at("unknown_name"),
        "silent": _at("silent"),
        "resets": _at("resets"),
        "babbles": _at("babbles"),
        "untrusted": _untrusted,
        "not_now": _no_queue,
        "refuses": _refuses,
    },
    actions=(
        f"amqp://teller:{SECRET}@127.0.0.1:9/%2F?routing_key=told",
        f"amqps://teller:{SECRET}@127.0.0.1/?exchange=alarms&ca_bundle=/etc/ca.pem",
    ),
)
