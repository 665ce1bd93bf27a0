"""The machine's mail system: a program in the place of sendmail, which ends as it is told to."""

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from targets.contract import Contract, Options, Scene

FOLDER = Path(tempfile.mkdtemp(prefix="tocsin-sendmail-"))
PROGRAM = FOLDER / "sendmail"
"""Ends with the status that the first letters of the recipient say."""

PROGRAM.write_text(
    "#!/bin/sh\n"
    'for recipient in "$@"; do :; done\n'
    "cat > /dev/null\n"
    'case "$recipient" in\n'
    "  hangs@*) exec sleep 60;;\n"
    "  status*) number=${recipient%@*}; echo told to end >&2; exit ${number#status};;\n"
    "esac\n"
)
PROGRAM.chmod(PROGRAM.stat().st_mode | stat.S_IXUSR)


def _to(recipient: str) -> Scene:
    @contextmanager
    def scene() -> Iterator[Options]:
        yield {"mailto": recipient, "from-address": "tocsin@example.org"}

    return scene


NO_NETWORK = "the program speaks for itself: Tocsin opens no connection"
CONTRACT = Contract(
    scenes={
        "works": _to("someone@example.org"),
        "unreachable": _to("status69@example.org"),
        "silent": _to("hangs@example.org"),
        "not_now": _to("status75@example.org"),
        "refuses": _to("status67@example.org"),
    },
    not_applicable=dict.fromkeys(("unknown_name", "resets", "babbles", "untrusted"), NO_NETWORK),
    # Longer than starting a program takes on a busy machine.
    settings={"sendmail": str(PROGRAM), "read_timeout_seconds": 3.0},
)
