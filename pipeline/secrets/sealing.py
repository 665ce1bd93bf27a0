"""Sealing: secrets as the database has them, encrypted and signed with the keys of a file.

Fernet (AES-128-CBC and HMAC-SHA256, by `cryptography`). The file is looked at with each use, so
that processes which run follow a rotation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pipeline.errors import InvalidValue
from pipeline.secrets.keys import KeyFile, Keys


class KeyFileSealer:
    """`store.routing.Sealer`, by the keys of a file."""

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._made: tuple[Keys, MultiFernet] | None = None

    def seal(self, text: str, sealed: Collection[str] = ()) -> str:
        """The text as it may be written down. `sealed` are those that are kept already: while
        there are none, a key is made where there is no file.

        Raises `InvalidValue` where a key is needed and there is none.
        """
        keys = self.file.keys() if sealed else self.file.begin()
        if keys is None:
            raise self._no_file()
        return self._fernet(keys).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text again. Raises `InvalidValue` where no key of the file is the right one."""
        keys = self.file.keys()
        if keys is None:
            raise self._no_file()
        try:
            return self._fernet(keys).decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise InvalidValue(
                f"no key in {self.file.path} opens it. Copy the key file from the machine where"
                " the secret was given, or give the secret again"
            ) from None

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed with the key that seals now."""
        keys = self.file.keys()
        if keys is None:
            return False
        try:
            Fernet(keys.sealing).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def _fernet(self, keys: Keys) -> MultiFernet:
        if self._made is None or self._made[0] != keys:
            self._made = (keys, MultiFernet([Fernet(key) for key in keys.all]))
        return self._made[1]

    def _no_file(self) -> InvalidValue:
        return InvalidValue(
            f"the key file {self.file.path} is missing, and the database has secrets that were"
            " sealed with it. Copy it from the machine where they were given (secrets.key_file);"
            " if it is lost for good, see tocsin secrets rotate --lost"
        )


@dataclass(frozen=True, slots=True)
class SealReport:
    """The names of the targets with secrets, by how they are sealed.

    `old` are sealed with a key that seals no more; of `unreadable` no key is there.
    """

    current: tuple[str, ...]
    old: tuple[str, ...]
    unreadable: Mapping[str, str]


def report(sealed: Mapping[str, str], sealer: KeyFileSealer) -> SealReport:
    """How the secrets of each target are sealed."""
    current, old, unreadable = [], [], {}
    for name, text in sorted(sealed.items()):
        if sealer.is_current(text):
            current.append(name)
            continue
        try:
            sealer.open(text)
        except InvalidValue as error:
            unreadable[name] = str(error)
        else:
            old.append(name)
    return SealReport(tuple(current), tuple(old), unreadable)
