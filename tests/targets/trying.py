"""How the contract suite tries a target: in a scene, with no secret in what comes of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from structlog.testing import CapturingLogger

from pipeline import targets
from pipeline.notification import Outcome
from pipeline.targets.base import Target, Tools
from pipeline.targets.settings import DeliverySettings

from builders import NOON, a_delivery
from delivery.receivers import PATIENCE
from targets.contract import SECRET, Contract, HttpContract, contract_of


@dataclass(frozen=True)
class Made:
    """A target of a type under test, and what it logs to."""

    target: Target
    log: CapturingLogger


@contextmanager
def made(contract: Contract, type: str, options: Mapping[str, Any]) -> Iterator[Made]:
    """A target of a type with these options; at the end it is closed."""
    log = CapturingLogger()
    settings = DeliverySettings(**{**PATIENCE, **contract.settings})
    tools = Tools.by(settings, lambda: NOON, log)
    target = targets.from_options(type, options, tools)
    yield Made(target, log)
    target.close()
    tools.http.close()


def outcome_in(scene: Any, type: str) -> tuple[Outcome, CapturingLogger]:
    """What becomes of a delivery in a scene, and what was logged. No secret is in the outcome."""
    contract = contract_of(type)
    with scene as options, made(contract, type, options) as trial:
        outcome = trial.target.deliver(a_delivery("target:it"))
    assert_no_secret(outcome, trial.log.calls)
    return outcome, trial.log


def over_http(server: Any, type: str) -> Outcome:
    """What becomes of a delivery to an HTTP server."""
    contract = contract_of(type)
    assert isinstance(contract, HttpContract)

    @contextmanager
    def scene() -> Iterator[Mapping[str, Any]]:
        with server as url:
            yield contract.options(url)

    return outcome_in(scene(), type)[0]


def assert_no_secret(*shown: object) -> None:
    """Fail if the secret is in what is shown, plain or in base64."""
    said = repr(shown)
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert SECRET not in said
    assert encoded[:-4] not in said
