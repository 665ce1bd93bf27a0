"""Every type of target keeps its promises, whatever its receiver does (delivery 4, 6, 10).

What each type says of itself is in `targets/contracts/`; see `targets.contract`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from pipeline import targets
from pipeline.dispatch import TargetEntry
from pipeline.errors import InvalidValue
from pipeline.store.settings import DatabaseSettings
from pipeline.store.sql import SqlStore
from pipeline.targets import Targets
from pipeline.targets.base import Tools, heeds_guard
from pipeline.targets.options import HttpSchema, is_secret
from pipeline.targets.settings import DeliverySettings

from builders import a_delivery, a_notification, an_occurrence
from delivery.notifying import Log, notifier, real_clock, tell
from delivery.receivers import PATIENCE
from targets import scenes
from targets.contract import EXPECTED, SECRET, HttpContract, contract_of, types_over_http
from targets.trying import assert_no_secret, made, outcome_in

TYPES = targets.types()
OVER_HTTP = types_over_http()


@pytest.mark.parametrize("type", TYPES)
def test_every_type_has_a_contract_with_all_scenes(type: str) -> None:
    contract = contract_of(type)

    known = contract.scenes.keys() | contract.not_applicable.keys()
    if isinstance(contract, HttpContract):
        known |= scenes.HTTP.keys() | {"works"}
    assert known == EXPECTED.keys()
    assert "works" not in contract.not_applicable


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("type", TYPES)
def test_what_a_receiver_does_is_an_outcome(type: str, name: str) -> None:
    contract = contract_of(type)
    if name in contract.not_applicable:
        return
    outcome, _ = outcome_in(contract.scene(name), type)

    assert isinstance(outcome, contract.expected(name)), outcome


@pytest.mark.parametrize("type", TYPES)
def test_every_secret_option_is_in_the_contract(type: str) -> None:
    """So that the suite looks for each of them."""
    schema = targets.of_type(type).schema()
    with contract_of(type).scene("works") as options:
        hidden = {name for name, field in schema.fields.items() if is_secret(field)}
        hidden -= HttpSchema().fields.keys()  # see test_proxies.py
        hidden -= contract_of(type).elsewhere.keys()
        without = [name for name in hidden if SECRET not in repr(options.get(name))]
    assert without == []


@pytest.mark.parametrize(
    "told",
    [
        a_notification(),
        an_occurrence("test", "info"),
        an_occurrence("digest", "error", nested={"a": [1, {"b": None}]}, count=3),
        a_notification(alarm_name="zoë\r\nBcc: x@y\x00 ✓ {{ 7 * 7 }}<b>", reason="\x1b[31m\ud800"),
        a_notification(alarm_name="n" * 5_000, reason="r" * 100_000),
    ],
    ids=["alarm", "bare occurrence", "nested fields", "hostile text", "long"],
)
@pytest.mark.parametrize("type", TYPES)
def test_anything_can_be_told(type: str, told: Any) -> None:
    """Whatever it is of: never an exception, and where it works it is delivered."""
    contract = contract_of(type)
    with contract.scene("works") as options, made(contract, type, options) as trial:
        outcome = trial.target.deliver(a_delivery("target:it", notification=told))

    assert isinstance(outcome, contract.outcomes), outcome
    assert_no_secret(outcome, trial.log.calls)


@pytest.mark.parametrize("type", TYPES)
def test_a_target_can_be_used_again_after_closing(type: str) -> None:
    """The entry that it is of may change while an attempt is under way."""
    contract = contract_of(type)
    with contract.scene("works") as options, made(contract, type, options) as trial:
        trial.target.deliver(a_delivery("target:it"))
        trial.target.close()
        trial.target.close()
        outcome = trial.target.deliver(a_delivery("target:it"))

    assert isinstance(outcome, contract.outcomes)


@pytest.mark.parametrize("type", TYPES)
def test_an_option_that_is_unknown_is_refused_without_secrets(type: str) -> None:
    with contract_of(type).scene("works") as options:
        given = {**options, "no_such_option": SECRET}
        with pytest.raises(InvalidValue, match="no_such_option") as refusal:
            targets.loaded(targets.of_type(type), given)
    assert_no_secret(str(refusal.value))


@pytest.mark.parametrize("type", TYPES)
def test_an_option_of_the_wrong_type_is_refused_without_secrets(type: str) -> None:
    found = targets.of_type(type)
    with contract_of(type).scene("works") as options:
        for name in found.schema().fields:
            with pytest.raises(InvalidValue) as refusal:
                targets.loaded(found, {**options, name: {"a": {SECRET: object()}}})
            assert_no_secret(str(refusal.value))


@pytest.mark.parametrize(
    ("type", "action"),
    [(type, action) for type in TYPES for action in contract_of(type).actions],
)
def test_an_action_of_the_type_can_be_carried_out(type: str, action: str) -> None:
    targets.check_action(action)

    found = targets.of_type(type)
    assert targets.loaded(found, found.options_of(action)) is not None


@pytest.mark.parametrize("name", ["works", "silent", "not_now", "refuses"])
@pytest.mark.parametrize("type", TYPES)
def test_no_secret_is_recorded_or_logged(type: str, name: str, tmp_path: Path) -> None:
    """delivery 10: through the notifier, as in life."""
    contract, log = contract_of(type), Log()
    if name in contract.not_applicable:
        return
    url = f"sqlite:///{tmp_path / 'tocsin.sqlite'}"
    settings = {**PATIENCE, **contract.settings}
    with contract.scene(name) as options, SqlStore.open(DatabaseSettings(url=url)) as store:
        entry = TargetEntry("it", type, options)
        made_of = Targets(Tools.by(DeliverySettings(**settings), real_clock, log), _Named(entry))
        tell(store, "target:it")
        attempts = notifier(store, targets=made_of, log=log, **settings).run_once()
        made_of.close()

    assert attempts == 1
    with create_engine(url).connect() as connection:
        for table in ("attempt", "delivery", "notification"):
            assert_no_secret(list(connection.execute(text(f"SELECT * FROM {table}"))))
    assert_no_secret(log.calls)


@dataclass(frozen=True)
class _Named:
    entry: TargetEntry

    def target(self, name: str) -> TargetEntry:
        return self.entry


@pytest.mark.parametrize("type", TYPES)
def test_many_threads_may_deliver_at_once(type: str) -> None:
    contract = contract_of(type)
    with (
        contract.scene("works") as options,
        made(contract, type, options) as trial,
        ThreadPoolExecutor(6) as threads,
    ):
        deliveries = [a_delivery("target:it") for _ in range(12)]
        outcomes = list(threads.map(trial.target.deliver, deliveries))

    assert all(isinstance(outcome, contract.outcomes) for outcome in outcomes), outcomes


@pytest.mark.parametrize("type", [type for type in TYPES if type not in OVER_HTTP])
def test_who_says_to_heed_the_guard_can_be_reached_without_a_network(type: str) -> None:
    """delivery 9: only what connects to nobody may say so beside what speaks HTTP."""
    contract = contract_of(type)
    with contract.scene("works") as options, made(contract, type, options) as trial:
        if heeds_guard(trial.target):
            assert contract.not_applicable.keys() >= {
                "unknown_name",
                "resets",
                "babbles",
                "untrusted",
            }
