"""Rotation: the keys of secrets are changed, and every secret is sealed anew.

The new key is in the file before anything is sealed with it, and an old one leaves it only after
nothing needs it, so that it may be killed at any instant: all can still be opened, and it can be
begun again. Called by `tocsin secrets`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import InvalidValue
from pipeline.secrets.keys import Keys, new_key
from pipeline.secrets.sealing import KeyFileSealer


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many targets' secrets were sealed anew, and of whom they could not be opened."""

    count: int
    unreadable: tuple[str, ...]


class SealedSecrets(Protocol):
    """What is needed of the store."""

    def sealed_secrets(self) -> dict[str, str]:
        """The sealed secrets of each target that has any."""

    def reseal(self) -> Resealed:
        """Seal all secrets anew, in one transaction; what cannot be opened stays as it is."""


def prepare(sealer: KeyFileSealer, store: SealedSecrets) -> None:
    """Add a key that seals nothing yet, to be brought to the other machines first."""
    keys = _present(sealer, store)
    sealer.file.replace(keys.with_prepared(new_key()))


def rotate(sealer: KeyFileSealer, store: SealedSecrets, *, lost: bool = False) -> Resealed:
    """Seal all secrets with a new key, the prepared one if there is one.

    Old keys stay in the file. `lost`: the key file is lost, begin a new one. Raises `InvalidValue`
    where it is missing all the same.
    """
    if lost:
        if sealer.file.keys() is not None:
            raise InvalidValue(f"{sealer.file.path} is there: --lost is for a file that is gone")
        sealer.file.begin()
        return store.reseal()
    sealer.file.replace(_present(sealer, store).rotated(new_key()))
    return store.reseal()


def drop_old(sealer: KeyFileSealer, store: SealedSecrets) -> int:
    """Take the old keys out of the file; how many. Whatever is sealed with one is sealed anew
    first. Raises `InvalidValue` while anything cannot be opened."""
    keys = _present(sealer, store)
    resealed = store.reseal()
    if resealed.unreadable:
        raise InvalidValue(
            "old keys stay, as these targets' secrets cannot be opened:"
            f" {', '.join(resealed.unreadable)}. Give them again, or delete the targets"
        )
    sealer.file.replace(keys.without_old())
    return len(keys.old)


def _present(sealer: KeyFileSealer, store: SealedSecrets) -> Keys:
    """The keys in force; a new one where nothing is sealed yet."""
    keys = sealer.file.keys()
    if keys is None and store.sealed_secrets():
        raise InvalidValue(
            f"the key file {sealer.file.path} is missing, and the database has secrets that were"
            " sealed with it. Copy it here from the machine where they were given; if it is lost"
            " for good: tocsin secrets rotate --lost"
        )
    return keys or sealer.file.begin()
