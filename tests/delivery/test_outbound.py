"""The outbound guard knows every address that is not public, in whichever form (delivery 9)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InvalidValue
from pipeline.outbound import AllowList, forbidden

NOTHING = AllowList()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback"),
        ("127.255.255.254", "a loopback"),
        ("0.0.0.0", "an unspecified"),
        ("0.1.2.3", "an unspecified"),
        ("10.0.0.1", "a private"),
        ("172.16.0.1", "a private"),
        ("172.31.255.255", "a private"),
        ("192.168.1.1", "a private"),
        ("100.64.0.1", "a shared (carrier-grade NAT)"),
        ("169.254.1.1", "a link-local"),
        ("169.254.169.254", "a metadata service's"),
        ("168.63.129.16", "a metadata service's"),
        ("fd00:ec2::254", "a metadata service's"),
        ("192.0.0.8", "a reserved"),
        ("192.0.2.1", "a documentation"),
        ("198.19.0.1", "a benchmarking"),
        ("224.0.0.1", "a multicast"),
        ("255.255.255.255", "a reserved"),
        ("::", "an unspecified"),
        ("::1", "a loopback"),
        ("fe80::1", "a link-local"),
        ("fe80::1%eth0", "a link-local"),
        ("febf::1", "a link-local"),
        ("fec0::1", "a private"),
        ("fc00::1", "a private"),
        ("fdff::1", "a private"),
        ("ff02::1", "a multicast"),
        ("2001:db8::1", "a documentation"),
        ("100::1", "a reserved"),
        ("2001:10::1", "a reserved"),
        ("4000::1", "a reserved"),
        ("5f00::1", "a reserved"),
        ("64:ff9b:1::808:808", "a private"),
        ("nonsense", "an unknown kind of"),
    ],
)
def test_what_is_not_public_is_forbidden(address: str, kind: str) -> None:
    assert (forbidden(address, NOTHING) or "").startswith(f"{kind} ".rstrip())


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]
)
def test_what_is_public_is_not(address: str) -> None:
    assert forbidden(address, NOTHING) is None


def _carriers(inner: str) -> dict[str, str]:
    """An IPv4 address in every form that carries one."""
    bits = int(IPv4Address(inner))
    public = int(IPv4Address("8.8.8.8"))
    return {
        "mapped": str(IPv6Address(0xFFFF << 32 | bits)),
        "translated": str(IPv6Address(0xFFFF << 48 | bits)),
        "compatible": str(IPv6Address(bits)),
        "NAT64": str(IPv6Address(0x64FF9B << 96 | bits)),
        "6to4": str(IPv6Address(0x2002 << 112 | bits << 80 | 1)),
        "Teredo, server": str(IPv6Address(0x20010000 << 96 | bits << 64 | public ^ 0xFFFFFFFF)),
        "Teredo, client": str(IPv6Address(0x20010000 << 96 | public << 64 | bits ^ 0xFFFFFFFF)),
        "ISATAP": str(IPv6Address(0x2A00 << 112 | 0x5EFE << 32 | bits)),
        "ISATAP, global": str(IPv6Address(0x2A00 << 112 | 0x02005EFE << 32 | bits)),
    }


@pytest.mark.parametrize("form", _carriers("127.0.0.1"))
@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0"])
def test_an_address_that_carries_a_forbidden_one_is_forbidden(inner: str, form: str) -> None:
    assert forbidden(_carriers(inner)[form], NOTHING)


@pytest.mark.parametrize("form", _carriers("8.8.8.8"))
def test_an_address_that_carries_a_public_one_is_not(form: str) -> None:
    """As where DNS64 makes IPv6 addresses of all others."""
    assert forbidden(_carriers("8.8.8.8")[form], NOTHING) is None


@given(bits=st.integers(0, 2**32 - 1))
def test_how_an_ipv4_address_is_carried_changes_nothing(bits: int) -> None:
    address = str(IPv4Address(bits))
    for form, carried in _carriers(address).items():
        if carried not in ("::", "::1"):
            found, inside = forbidden(carried, NOTHING), forbidden(address, NOTHING)
            assert bool(found) == bool(inside), form


PREFIXES = st.sampled_from([0x2000, 0x2001, 0x2002, 0x64, 0, 0xFE80, 0xFC00, 0x4000, 0xFF02])


@given(first=PREFIXES | st.integers(0, 0xFFFF), rest=st.integers(0, 2**112 - 1))
def test_only_global_unicast_and_what_carries_ipv4_may_be_called(first: int, rest: int) -> None:
    bits = first << 112 | rest
    if forbidden(str(IPv6Address(bits)), NOTHING) is None:
        carries_ipv4 = bits >> 32 in (0, 0xFFFF, 0xFFFF << 16, 0x64FF9B << 64)
        assert bits >> 125 == 1 or carries_ipv4


# --- the allow list ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("10.1.0.0/16", "10.1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("fd00::/8", "fd12::1"),
        ("::1", "::1"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_the_allow_list_lifts_the_guard_for_its_networks(entry: str, address: str) -> None:
    assert forbidden(address, AllowList.of([entry])) is None


@pytest.mark.parametrize(
    ("entry", "address"),
    [("10.1.0.0/16", "10.2.0.1"), ("::/0", "127.0.0.1"), ("hooks.example.org", "127.0.0.1")],
)
def test_the_allow_list_lifts_it_for_nothing_else(entry: str, address: str) -> None:
    assert forbidden(address, AllowList.of([entry]))


@pytest.mark.parametrize(
    ("entry", "host", "has"),
    [
        ("hooks.example.org", "hooks.example.org", True),
        ("Hooks.Example.Org.", "hooks.EXAMPLE.org.", True),
        ("hooks.example.org", "evil-hooks.example.org", False),
        ("*.example.org", "a.b.example.org", True),
        (".example.org", "a.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "evilexample.org", False),
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.1.2.3.example.org", False),
        ("::1", "[::1]", True),
    ],
)
def test_a_host_is_on_the_allow_list_by_its_name(entry: str, host: str, has: bool) -> None:
    assert AllowList.of([entry]).has_host(host) is has


@pytest.mark.parametrize(
    ("entries", "everything"),
    [
        (["0.0.0.0/0", "::/0"], True),
        (["0.0.0.0/0"], False),
        (["::/0", "10.0.0.0/8"], False),
        ([], False),
    ],
)
def test_a_list_may_have_everything(entries: list[str], everything: bool) -> None:
    assert AllowList.of(entries).has_everything is everything


@pytest.mark.parametrize(
    "entry", ["10.1.2.3/16", "10.0.0.256", "http://host/", "", "a b", "*", "10.1.*", "fd00::/129"]
)
def test_what_is_neither_network_nor_name_is_refused(entry: str) -> None:
    with pytest.raises(InvalidValue, match=r"10\.1\.0\.0/16"):
        AllowList.of([entry])
