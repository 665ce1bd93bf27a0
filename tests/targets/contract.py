"""What every type of target promises, whatever its receiver does; and where it says how to try it.

The suite (`test_contract.py`) runs over every installed type. Each has a module of its own in
`targets/contracts/`, named as the type is (`_` for what a module's name cannot hold), with one
`CONTRACT`: a `Contract`, or for what speaks HTTP an `HttpContract`, which knows every scene. A
type without one fails the suite, and so does one that leaves a scene out and does not say why.

A *scene* sets up a receiver that behaves in one way, and gives the options that lead to it:

    @contextmanager
    def works() -> Iterator[Options]: …

Every option that the type's schema marks as secret must hold `SECRET` in each scene; the suite
looks for it wherever people and programs could see it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from pipeline import targets
from pipeline.notification import Delivered, Failed, Refused
from pipeline.receiver import Callback, Receiver, Reply

from targets import scenes

SECRET: Final = "hunter22q8Zr2LxW0mKp5VtN7cYbHd3e"
"""What no log, error, outcome or record may hold. It is base64, as signing secrets are."""

EXPECTED: Final[Mapping[str, type]] = {
    "works": Delivered,
    "unreachable": Failed,
    "unknown_name": Failed,
    "silent": Failed,
    "resets": Failed,
    "babbles": Failed,
    "untrusted": Failed,
    "not_now": Failed,
    "refuses": Refused,
}
"""What becomes of a delivery in each scene: nobody listens; the name does not resolve; no answer
comes; the connection is reset; what is said is not the protocol; the certificate is of an unknown
authority; the receiver asks to come again later; the receiver wants none of it."""

Options: TypeAlias = Mapping[str, Any]
Scene: TypeAlias = Callable[[], AbstractContextManager[Options]]


@dataclass(frozen=True)
class Contract:
    """How to try one type of target.

    `scenes` are by their names in `EXPECTED`, `not_applicable` says of each other why it cannot
    come to pass. `actions` are URLs that stand for a target, `SECRET` in each that can hold one.
    `settings` are those of section `delivery` that the type needs. `outcomes` are those in place
    of `Delivered` where it works. `elsewhere` are secret options that cannot stand beside the
    others, each with the test that tries it.
    """

    scenes: Mapping[str, Scene]
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcomes: tuple[type, ...] = (Delivered,)
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def scene(self, name: str) -> AbstractContextManager[Options]:
        """The scene of this name, set up on entering it."""
        return self.scenes[name]()

    def expected(self, name: str) -> tuple[type, ...]:
        """Of which types the outcome may be in a scene."""
        return self.outcomes if name == "works" else (EXPECTED[name],)


@dataclass(frozen=True)
class HttpContract(Contract):
    """How to try a type that speaks HTTP.

    `options` are those that lead to the server at a URL (`https://127.0.0.1:8443`), `answer` what
    a server that works says to each of its requests. `judged` are the statuses that the type
    rightly takes for another outcome than others do.
    """

    scenes: Mapping[str, Scene] = field(default_factory=dict)
    options: Callable[[str], Options] = lambda url: {"url": url}
    answer: Callable[[Callback], Reply] = lambda callback: Reply()
    judged: Mapping[int, tuple[type, ...]] = field(default_factory=dict)

    def scene(self, name: str) -> AbstractContextManager[Options]:
        """The scene of this name, over HTTP unless the contract has its own."""
        return self.scenes[name]() if name in self.scenes else self._over_http(name)

    @contextmanager
    def _over_http(self, name: str) -> Iterator[Options]:
        if name == "works":
            with Receiver(answer=self.answer) as receiver:
                yield self.options(receiver.url)
        else:
            with scenes.HTTP[name]() as url:
                yield self.options(url)


def contract_of(type: str) -> Contract:
    """The contract of an installed type. Fails the test that asks where there is none."""
    module = "".join(c if c.isalnum() else "_" for c in type)
    if not (Path(__file__).parent / "contracts" / f"{module}.py").exists():
        raise AssertionError(
            f"target type {type!r} has no contract: write tests/targets/contracts/{module}.py"
        )
    found: Contract = importlib.import_module(f"targets.contracts.{module}").CONTRACT
    return found


def types_over_http() -> list[str]:
    """The installed types whose contract is an `HttpContract`."""
    return [type for type in targets.types() if isinstance(_contract(type), HttpContract)]


def _contract(type: str) -> Contract | None:
    try:
        return contract_of(type)
    except AssertionError:
        return None  # said by a test of its own
