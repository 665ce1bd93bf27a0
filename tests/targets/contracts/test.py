"""The target that tests look at."""

from contextlib import nullcontext

from targets.contract import EXPECTED, SECRET, Contract

CONTRACT = Contract(
    scenes={"works": lambda: nullcontext({})},
    not_applicable=dict.fromkeys(EXPECTED.keys() - {"works"}, "there is no receiver to fail"),
    actions=(f"test://user:{SECRET}@x/",),
)
