"""TLS: the contexts that receivers are called with, by the settings and by targets' own options.

Those of the settings are read once, at the start. A target's own files are read when they are
first needed, and again when they have changed: certificates that live for a day are replaced in
place.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from pipeline.errors import InvalidValue
from pipeline.targets.settings import DeliverySettings
from pipeline.targets.way import Way

_Stamp: TypeAlias = tuple[tuple[int, int], ...]
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class _Files:
    """Where certificates stand. `option` is how the options are called where they are named."""

    ca_bundle: str
    client_certificate: str
    client_key: str
    option: str

    def stamp(self) -> _Stamp:
        """What changes when a file does."""
        paths = filter(None, (self.ca_bundle, self.client_certificate, self.client_key))
        stats = [Path(path).stat() for path in paths]
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in stats)


class TlsContexts:
    """The contexts in use. Safe to use from many threads.

    Raises `InvalidValue` when a certificate file of the settings cannot be used.
    """

    def __init__(self, settings: DeliverySettings) -> None:
        self._verify = settings.verify
        self._files = _Files(
            settings.ca_bundle or "",
            settings.client_certificate or "",
            settings.client_key or "",
            "delivery.",
        )
        self._general = {verify: _context(verify, self._files) for verify in (True, False)}
        self._own: dict[tuple[bool, _Files], tuple[_Stamp, ssl.SSLContext]] = {}
        self._lock = threading.Lock()

    def of(self, way: Way, verify: bool | None) -> ssl.SSLContext:
        """The context for a request that goes this way; `verify` is the request's own wish.

        Raises `InvalidValue` when a certificate file of the target cannot be used.
        """
        wishes = (verify, way.verify, self._verify)
        checked = next(wish for wish in wishes if wish is not None)
        return self._of_target(way, checked) if way.has_tls else self._general[checked]

    def _of_target(self, way: Way, verify: bool) -> ssl.SSLContext:
        """The target's authorities and certificate; of either, the settings' where it has none."""
        general = self._files
        own = way.client_certificate
        certificate, key = (
            (own, way.client_key) if own else (general.client_certificate, general.client_key)
        )
        files = _Files(way.ca_bundle or general.ca_bundle, certificate, key, "")
        with self._lock:
            stamp = _stamp(files)
            known = self._own.get((verify, files))
            if known is None or known[0] != stamp:
                while len(self._own) >= _REMEMBERED:
                    del self._own[next(iter(self._own))]
                known = self._own[verify, files] = (stamp, _context(verify, files))
            return known[1]


def _stamp(files: _Files) -> _Stamp:
    try:
        return files.stamp()
    except OSError:
        return ()  # reading it will say what is wrong


def _context(verify: bool, files: _Files) -> ssl.SSLContext:
    context = _verifying(files) if verify else _unverifying()
    if certificate := files.client_certificate:
        try:
            # Without a password OpenSSL would ask the terminal for one.
            context.load_cert_chain(certificate, files.client_key or None, password=lambda: b"")
        except OSError as error:
            paths = " with ".join(filter(None, (certificate, files.client_key)))
            raise _unusable(f"{files.option}client_certificate", paths, error) from error
    return context


def _verifying(files: _Files) -> ssl.SSLContext:
    authorities = files.ca_bundle or DEFAULT_CA_BUNDLE_PATH
    try:
        if Path(authorities).is_dir():
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise _unusable(f"{files.option}ca_bundle", authorities, error) from error


def _unverifying() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(option: str, path: str, error: OSError) -> InvalidValue:
    why = error.strerror or str(error)
    return InvalidValue(
        f"{option}: cannot use {path}: {why}. Give PEM that this process can read,"
        " a private key without a pass phrase.",
        field=option,
    )
