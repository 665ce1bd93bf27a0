"""Sendmail: mail handed to the machine's own `sendmail` program (notifications 2, 4)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from pipeline.notification import Delivered, Delivery, Failed, Outcome, Refused
from pipeline.targets import mail
from pipeline.targets.base import Tools
from pipeline.targets.mail import MailSchema

_NEVER: Final = frozenset({os.EX_USAGE, os.EX_DATAERR, os.EX_NOUSER, os.EX_NOHOST})
"""Exit statuses of sysexits.h that another try would end with again."""

_KEPT: Final = 1024


class SendmailTarget:
    """Hands mail to the machine's mail system."""

    schema = MailSchema
    heeds_guard = True  # an admin named the program

    def __init__(self, given: Mapping[str, Any], tools: Tools) -> None:
        self._options, self._tools = given, tools

    def deliver(self, delivery: Delivery) -> Outcome:
        """Have the program take the mail for all recipients."""
        ready = mail.ready(self._options, self._tools, delivery, local=True)
        if isinstance(ready, Refused):
            return ready
        program, seconds = self._tools.settings.sendmail, self._tools.settings.read_timeout_seconds
        # Without -i a line that is a dot alone would end the mail.
        line = [program, "-i", "-B", "8BITMIME", "-f", ready.sender, "--", *ready.to]
        try:
            done = subprocess.run(
                line, input=bytes(ready.message), capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return Failed(f"{program} did not take the mail within {seconds:g} s")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Failed(
                f"cannot run {program}: {why}. Install a mail system, or name its sendmail program"
                " in delivery.sendmail"
            )
        return _judged(program, done)

    def close(self) -> None:
        """Nothing to let go of."""


def _judged(program: str, done: subprocess.CompletedProcess[bytes]) -> Outcome:
    if done.returncode == 0:
        return Delivered()
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    said = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text).strip()[:_KEPT]
    first = f": {said.splitlines()[0]}" if said else ""
    reason = f"{program} exited with status {done.returncode}{first}"
    if done.returncode in _NEVER:
        return Refused(reason, response_head=said)
    return Failed(reason, response_head=said)
