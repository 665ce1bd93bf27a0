"""The settings of secrets: where the key is, and what may be looked up."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.options import option


@dataclass(frozen=True, slots=True)
class SecretsSettings:
    """The `secrets` settings. Where `key_file` is empty, `pipeline.settings` names a file."""

    key_file: str = option(
        "",
        "File of the keys that targets' secrets are encrypted with, of mode 0600; made when it is "
        "first needed. Processes on other machines need the same file. Empty: secrets.key beside "
        "the SQLite file, or else in the user's state directory.",
        path=True,
    )
    lookups: tuple[str, ...] = option(
        ("env:*", "file:*"),
        "Which `${env:NAME}` and `${file:PATH}` targets' options may have, by patterns: "
        "`env:TOCSIN_TARGET_*`, `file:/run/secrets/*`.",
    )
