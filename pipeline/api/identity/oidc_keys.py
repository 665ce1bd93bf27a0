"""The keys that an OpenID provider signs with: from its metadata, or from a file (JWKS).

They are had when they are first needed, and again after an hour, so that keys that the provider
takes back do not stay; and once more where a token names one that is not known, at most every
half minute, whatever is sent. Where the provider does not answer, the keys that are known stay in
force for a day.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from pipeline.access.settings import OidcSettings
from pipeline.errors import IdentityUnavailable, InvalidValue

_FRESH_SECONDS, _STALE_SECONDS, _BETWEEN_SECONDS = 3_600.0, 86_400.0, 30.0
_MOST_BYTES = 1024 * 1024
_WELL_KNOWN = ".well-known/openid-configuration"
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class ProviderKeys:
    """The keys of one provider. Safe from many threads: one of them asks, and only those wait that
    have no key yet."""

    def __init__(
        self, settings: OidcSettings, log: Any, now: Callable[[], float] = monotonic
    ) -> None:
        self._settings, self._log, self._now = settings, log, now
        self._keys: tuple[Key, ...] | None = None
        self._had_at = self._tried_at = float("-inf")
        self._problem = ""
        self._asking = threading.Lock()

    def key(self, key_id: str | None, algorithm: str) -> Key | None:
        """The key that a token names, if it may sign in this way; without a name the only one
        that may. Raises `IdentityUnavailable` where none can be had."""
        now = self._now()
        if now - self._had_at > _FRESH_SECONDS:
            self._ask(now, wait=self._keys is None)
        found = self._chosen(key_id, algorithm)
        if found is None and key_id is not None and self._had_at != now:
            self._ask(now, wait=True)
            found = self._chosen(key_id, algorithm)
        return found

    def _chosen(self, key_id: str | None, algorithm: str) -> Key | None:
        fitting = [key for key in self._keys or () if _may_sign(key, algorithm)]
        if key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.kid == key_id), None)

    def _ask(self, now: float, *, wait: bool) -> None:
        """Have the keys anew, unless that was tried a moment ago; without `wait` leave it to
        whoever is at it."""
        if self._asking.acquire(blocking=wait):
            try:
                self._ask_at_most_now_and_then(now)
            finally:
                self._asking.release()
        if self._keys is None or now - self._had_at > _STALE_SECONDS:
            raise IdentityUnavailable(
                f"tokens cannot be checked now: {self._problem}. Try again in a while."
            )

    def _ask_at_most_now_and_then(self, now: float) -> None:
        if now - self._tried_at < _BETWEEN_SECONDS:
            return
        self._tried_at = now
        try:
            self._keys, self._had_at, self._problem = self._read(), now, ""
        except _NoKeys as error:
            self._problem = str(error)
            self._log.warning("api.oidc_keys_unavailable", reason=self._problem)

    def _read(self) -> tuple[Key, ...]:
        if self._settings.jwks_file:
            return _keys_of_file(self._settings.jwks_file)
        issuer = self._settings.issuer
        metadata_url = self._settings.discovery_url or f"{issuer.rstrip('/')}/{_WELL_KNOWN}"
        metadata = self._document(metadata_url)
        if metadata.get("issuer") != issuer:
            raise _NoKeys(
                f"{metadata_url} is of the issuer {metadata.get('issuer')!r}, and oidc.issuer is "
                f"{issuer!r}"
            )
        keys_url = str(metadata.get("jwks_uri"))
        if urlsplit(metadata_url).scheme == "https" != urlsplit(keys_url).scheme:
            raise _NoKeys(f"{metadata_url} names keys that are not had by https: {keys_url}")
        return _keys(self._document(keys_url), keys_url)

    def _document(self, url: str) -> dict[str, Any]:
        """The JSON object at a URL, within the time-out as a whole."""
        seconds = self._settings.timeout_seconds
        by = monotonic() + seconds
        with requests.Session() as session:
            session.trust_env = False  # neither proxies nor logins that the environment names
            session.verify = self._settings.ca_file or True
            try:
                with session.get(
                    url, timeout=seconds, stream=True, allow_redirects=False
                ) as answer:
                    if answer.status_code != requests.codes.ok:
                        raise _NoKeys(f"{url} answered {answer.status_code}")
                    body = _body(answer, url, by)
            except requests.RequestException as error:
                raise _NoKeys(f"{url} cannot be asked: {type(error).__name__}") from error
        return _object(body, url)


def _keys_of_file(path: str) -> tuple[Key, ...]:
    """The keys of a JWKS file. Raises `_NoKeys`."""
    try:
        return _keys(_object(Path(path).read_bytes(), path), path)
    except OSError as error:
        raise _NoKeys(f"{path} cannot be read: {error.strerror}") from error


def check_file(path: str) -> None:
    """Raise `InvalidValue` for a file that has no keys."""
    try:
        _keys_of_file(path)
    except _NoKeys as error:
        raise InvalidValue(f"oidc.jwks_file: {error}.", "oidc.jwks_file") from error


class _NoKeys(Exception):
    """Keys cannot be had; the text says why."""


def _body(answer: requests.Response, url: str, by: float) -> bytes:
    body = b""
    for part in answer.iter_content(16 * 1024):
        body += part
        if len(body) > _MOST_BYTES:
            raise _NoKeys(f"{url} answered with more than {_MOST_BYTES} bytes")
        if monotonic() > by:
            raise _NoKeys(f"{url} took too long to answer")
    return body


def _object(body: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise _NoKeys(f"{where} has no JSON") from error
    if not isinstance(found, dict):
        raise _NoKeys(f"{where} has no JSON object")
    return found


def _keys(document: dict[str, Any], where: str) -> tuple[Key, ...]:
    """The keys that can be used; of others, such as kinds that are not known, nothing is said."""
    keys: list[Key] = []
    listed = document.get("keys")
    for each in listed if isinstance(listed, list) else []:
        try:
            keys += KeySet.import_key_set({"keys": [each]}).keys
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    if not keys:
        raise _NoKeys(f"{where} has no keys that can be used")
    return tuple(keys)


def _may_sign(key: Key, algorithm: str) -> bool:
    """Whether it is a key for this signature, and for signatures at all."""
    said = key.as_dict(private=False)
    return (
        key.key_type == _KEY_TYPES[algorithm[:2]]
        and said.get("use", "sig") == "sig"
        and said.get("alg", algorithm) == algorithm
    )
