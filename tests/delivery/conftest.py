"""Fixtures of the tests of delivery: a receiver, a sender with short patience, certificates."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.receiver import Receiver
from pipeline.targets.http import HttpSender
from pipeline.targets.settings import DeliverySettings

from delivery.receivers import PATIENCE, Certificates


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    """Set at the end of the test, for what waits in the background."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def sender() -> Iterator[HttpSender]:
    """An HTTP sender that waits 0.4 s for an answer."""
    sender = HttpSender(DeliverySettings(**PATIENCE))
    yield sender
    sender.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates that no public authority has signed."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
