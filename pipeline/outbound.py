"""Outbound guard: which addresses a delivery may go to that somebody else than an admin set up.

Whoever may write an alarm's action could otherwise let Tocsin knock at what only Tocsin can reach:
itself, its neighbours, the cloud's metadata service (delivery 9). Only what is public may be
called, unless it is on the allow list. The tables are those of IANA's special-purpose registries
(RFC 6890 and what came after), spelled out, since `ipaddress` tells them differently from one
Python to the next. Every address that carries another inside is judged by that as well.

Pure: it judges addresses, and looks none up. Who connects asks it of the very address that it then
connects to: a name that leads elsewhere at a second look gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from pipeline.errors import InvalidValue

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, OpenStack and most others
            "169.254.170.2",  # AWS, of containers
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure, in public space
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
            "fe80::a9fe:a9fe",  # OpenStack
        ),
    )
)

_V4: Final = (
    ("0.0.0.0/8", "an unspecified"),
    ("10.0.0.0/8", "a private"),
    ("100.64.0.0/10", "a shared (carrier-grade NAT)"),
    ("127.0.0.0/8", "a loopback"),
    ("169.254.0.0/16", "a link-local"),
    ("172.16.0.0/12", "a private"),
    ("192.0.0.0/24", "a reserved"),
    ("192.0.2.0/24", "a documentation"),
    ("192.88.99.0/24", "a reserved"),
    ("192.168.0.0/16", "a private"),
    ("198.18.0.0/15", "a benchmarking"),
    ("198.51.100.0/24", "a documentation"),
    ("203.0.113.0/24", "a documentation"),
    ("224.0.0.0/4", "a multicast"),
    ("240.0.0.0/4", "a reserved"),
)
_V6: Final = (
    ("::/128", "an unspecified"),
    ("::1/128", "a loopback"),
    ("64:ff9b:1::/48", "a private"),
    ("fc00::/7", "a private"),
    ("fe80::/10", "a link-local"),
    ("fec0::/10", "a private"),
    ("ff00::/8", "a multicast"),
    ("2001:db8::/32", "a documentation"),
    ("3fff::/20", "a documentation"),
    ("2001:2::/48", "a benchmarking"),
)
_TEREDO: Final = IPv6Network("2001::/32")
_ASSIGNED: Final = IPv6Network("2001::/23")
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(some), kind) for some, kind in (*_V4, *_V6)
)

# Where an IPv4 address stands in an IPv6 address: how many bits follow it.
_CARRIERS: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated
    (IPv6Network("::/96"), 0),  # IPv4-compatible
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
    (_TEREDO, 64),  # Teredo: its server; the client is below
)
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
_LOW: Final = 0xFFFFFFFF
_MASKED: Final = re.compile(r"[0-9A-Fa-f:.]+/[0-9.]+")


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be called all the same: networks, names, and domains (each with a leading dot)."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """The list of entries such as `10.1.0.0/16`, `::1`, `hooks.example.org`, `*.example.org`.

        Raises `InvalidValue` for an entry that is none of these.
        """
        networks, names, domains = [], set(), []
        for entry in map(str.strip, entries):
            if found := network(entry):
                networks.append(found)
            elif entry.startswith(("*.", ".")):
                domains.append("." + _name(entry.lstrip("*."), entry))
            else:
                names.add(_name(entry, entry))
        return cls(tuple(networks), frozenset(names), tuple(domains))

    def has_host(self, host: str) -> bool:
        """Whether a URL's host is on the list: its name, or the address that stands there."""
        if (address := _address(host)) is not None:
            return self.has_address(address)
        name = host.rstrip(".").lower()
        return name in self.names or name.endswith(self.domains)

    def has_address(self, address: Address) -> bool:
        """Whether an address lies in one of the networks."""
        return any(address in some for some in self.networks)

    @property
    def has_everything(self) -> bool:
        """Whether every address is on the list, so that there is nothing to look at."""
        return {n.version for n in self.networks if n.prefixlen == 0} == {4, 6}


def forbidden(address: str, allowed: AllowList) -> str | None:
    """What kind of address it is, where it may not be called: `a loopback address`; else None.

    `address` is as the system's calls give it, perhaps with a zone (`fe80::1%eth0`). What is no
    address may not be called either.
    """
    found = _address(address)
    if found is None:
        return "an unknown kind of address"
    for judged in (found, *_carried(found)):
        kind = _kind(judged)
        if kind and not (allowed.has_address(judged) or allowed.has_address(found)):
            return f"{kind} address"
    return None


def network(text: str) -> Network | None:
    """The network or address that a text is, with brackets or without; None for a name."""
    try:
        return ip_network(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _kind(address: Address) -> str | None:
    if address in _METADATA:
        return "a metadata service's"
    for some, kind in _NOT_PUBLIC:
        if address in some:
            return kind
    if isinstance(address, IPv4Address) or any(address in carrier for carrier, _ in _CARRIERS):
        return None  # what it carries is judged
    if address in _ASSIGNED or address not in _PUBLIC_V6:
        return "a reserved"
    return None


def _carried(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses inside an IPv6 address, by every way to carry one."""
    if isinstance(address, IPv4Address):
        return
    bits = int(address)
    for carrier, behind in _CARRIERS:
        if address in carrier:
            yield IPv4Address(bits >> behind & _LOW)
    if address in _TEREDO:
        yield IPv4Address(bits & _LOW ^ _LOW)
    if bits >> 32 & _LOW in _ISATAP:
        yield IPv4Address(bits & _LOW)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0].removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _name(text: str, entry: str) -> str:
    name = text.rstrip(".").lower()
    labels = name.split(".")
    if labels[-1].isdigit() or _MASKED.fullmatch(entry):
        raise InvalidValue(
            f"{entry!r} is no network: bits are set behind its mask, or a number is too large."
            " Write 10.1.0.0/16, or 10.1.2.3 for one address"
        )
    if not all(label.replace("-", "").replace("_", "").isalnum() for label in labels):
        raise InvalidValue(
            f"{entry!r} is neither a network, nor an address, nor a name. Write 10.1.0.0/16,"
            " fd00::/8, hooks.example.org or *.example.org"
        )
    return name
