"""A local program: shells that read what they are told, or not. test_exec.py has more."""

from contextlib import nullcontext

from targets.contract import EXPECTED, Contract

CONTRACT = Contract(
    scenes={
        "works": lambda: nullcontext(
            {"program": "/bin/sh", "arguments": ["-c", "read told && echo $told | cut -c 1-2000"]}
        )
    },
    not_applicable=dict.fromkeys(EXPECTED.keys() - {"works"}, "there is no network to fail"),
    actions=("exec:///bin/sh?argument=-c&argument=cat&timeout=3",),
    settings={"exec": ("/bin",)},
)
