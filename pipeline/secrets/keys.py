"""The key file: the keys that secrets are sealed with, the newest first.

    # Tocsin's keys: …
    cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=
    next 41xJHoTJi6ONkTtaNd-uFePHREs9S0B4rV1fgBdFmvA=

The first key seals, all of them open. One that is marked `next` only opens until the next rotation
takes it: so it can be brought to other machines before anything is sealed with it. The file is
only ever replaced as a whole, so whoever reads it sees the old one or the new one. A file that
anybody else may read is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from pipeline.errors import InvalidValue

_HEAD: Final = (
    "# Tocsin's keys: they open the secrets of targets in the database. Keep them to yourself,\n"
    "# and a copy apart from the database's. The first seals, the others only open.\n"
)
_NEXT: Final = "next "


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a file; `sealing` is the first. `prepared` seal nothing yet."""

    sealing: str
    old: tuple[str, ...] = ()
    prepared: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, the sealing one first."""
        return (self.sealing, *self.old, *self.prepared)

    def rotated(self, new: str) -> Keys:
        """With another sealing key: the one that was prepared, else `new`."""
        sealing, *prepared = self.prepared or (new,)
        return Keys(sealing, (self.sealing, *self.old), tuple(prepared))

    def with_prepared(self, new: str) -> Keys:
        """With one more that seals nothing yet, unless there is such a one."""
        return self if self.prepared else Keys(self.sealing, self.old, (new,))

    def without_old(self) -> Keys:
        """Without those that seal nothing any more."""
        return Keys(self.sealing, (), self.prepared)


def new_key() -> str:
    """A new key, by the system's randomness."""
    return Fernet.generate_key().decode()


class KeyFile:
    """The file at `path`, which need not exist yet. Safe from many threads and processes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._read: tuple[tuple[int, ...], Keys] | None = None

    def keys(self) -> Keys | None:
        """The keys as they now are; None where there is no file.

        Raises `InvalidValue` for a file that cannot be used, or that anybody else may read.
        """
        with self._told():
            try:
                found = self.path.stat()
            except FileNotFoundError:
                return None
            self._check(found)
            as_it_was = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._read is None or self._read[0] != as_it_was:
                self._read = (as_it_was, self._parsed(self.path.read_text("ascii")))
            return self._read[1]

    def begin(self) -> Keys:
        """The keys; where there is no file yet, it is made with one new key."""
        if found := self.keys():
            return found
        with self._told(), self._written(Keys(new_key())) as temporary, suppress(FileExistsError):
            os.link(temporary, self.path)  # unlike a rename, it never replaces another's
        if found := self.keys():
            return found
        raise InvalidValue(f"{self.path}: the key file was taken away while it was made")

    def replace(self, keys: Keys) -> None:
        """Put these keys in the file's place, at once and for good."""
        with self._told(), self._written(keys) as temporary:
            temporary.replace(self.path)
            _sync(self.path.parent)

    @contextmanager
    def _written(self, keys: Keys) -> Iterator[Path]:
        """A file of mode 0600 beside the real one that has these keys; gone at the end."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(_text(keys))
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what the system says of the file."""
        try:
            yield
        except OSError as error:
            raise InvalidValue(
                f"{self.path}: the key file of secrets cannot be used: {error.strerror}. Check the"
                " path (secrets.key_file) and its permissions"
            ) from error
        except UnicodeDecodeError as error:
            raise self._not_keys(1) from error

    def _check(self, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        # What is mounted into a container belongs to root and is read by its group.
        of_root = found.st_uid == 0 and os.geteuid() != 0 and mode & 0o077 == 0o040
        if mode & 0o077 and not of_root:
            raise InvalidValue(
                f"{self.path}: others than its owner may use the key file (mode {mode:04o}). Mend"
                f" it with: chmod 600 {self.path}"
            )

    def _parsed(self, text: str) -> Keys:
        used: list[str] = []
        prepared: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            key = line.removeprefix(_NEXT).strip()
            if not _is_key(key):
                raise self._not_keys(number)
            (prepared if line.startswith(_NEXT) else used).append(key)
        if not used:
            raise self._not_keys(1)
        return Keys(used[0], tuple(used[1:]), tuple(prepared))

    def _not_keys(self, line: int) -> InvalidValue:
        return InvalidValue(
            f"{self.path}:{line}: this is no key. A key file has keys of Fernet, one a line, and"
            " comments that begin with #. Put the right file there, or set secrets.key_file"
        )


def _is_key(text: str) -> bool:
    try:
        Fernet(text)
    except ValueError:
        return False
    return True


def _text(keys: Keys) -> str:
    lines = [keys.sealing, *keys.old, *(f"{_NEXT}{key}" for key in keys.prepared)]
    return _HEAD + "".join(f"{line}\n" for line in lines)


def _sync(directory: Path) -> None:
    """Let a rename in it outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
