"""Tocsin's own log, which is always there."""

from contextlib import nullcontext

from targets.contract import EXPECTED, SECRET, Contract

CONTRACT = Contract(
    scenes={"works": lambda: nullcontext({})},
    not_applicable=dict.fromkeys(EXPECTED.keys() - {"works"}, "there is no receiver to fail"),
    actions=(f"log://user:{SECRET}@x/?token={SECRET}",),
)
