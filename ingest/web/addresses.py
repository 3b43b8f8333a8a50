"""Which addresses may be fetched from: public ones, and what a setting allows.

A name is resolved once, every address it has is checked, and the connection is made to those very addresses: so a name
that means another machine a moment later (DNS rebinding) gains nothing.
"""

import ipaddress
import re
import socket
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from knowledge.errors import DocumentRefused, InvalidInput

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # IPv4 written as IPv6, given up in 2006
_LONGEST = 2000
# What makes one reader of an address see another host than the next one does.
_CONFUSING = re.compile(r"[\s\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Machines of one's own that may be fetched from: host names, and networks (``10.1.0.0/16``)."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Sequence[str]) -> "Allowed":
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry.strip(), strict=False))
            except ValueError:
                hosts.add(entry.strip().lower().rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def host(self, name: str) -> bool:
        return name.lower().rstrip(".") in self.hosts

    def address(self, text: str) -> bool:
        """Whether a connection may be made to this address."""
        address = ipaddress.ip_address(text)
        return is_public(address) or any(address in network for network in self.networks)


def is_public(address: _Address) -> bool:
    """Reachable by everybody on the Internet, also where IPv6 carries an IPv4 address inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    carried = [each for each in inner if each is not None]
    if carried:
        return all(is_public(each) for each in carried)
    return address.is_global and not address.is_multicast and address not in _COMPATIBLE


def checked_url(url: str, allowed: Allowed) -> str:
    """An address as it is fetched, without its fragment.

    Raises InvalidInput ``address_invalid``; DocumentRefused ``address_refused`` for a machine that is not public.
    """
    url = url.strip()
    try:
        found = URL(url)  # the reading of who connects: “１２７.0.0.1” is 127.0.0.1
        _ = found.port
    except ValueError:
        raise _invalid() from None
    odd = _CONFUSING.search(url) or found.raw_user or found.raw_password or len(url) > _LONGEST
    if odd or found.scheme not in ("http", "https") or not found.raw_host:
        raise _invalid()
    require_host(found.raw_host, allowed)
    return str(found.with_fragment(None))


def require_host(host: str, allowed: Allowed) -> None:
    """A host that is an address by itself is not looked up, so it is checked here."""
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        return
    if not (allowed.host(host) or allowed.address(address)):
        raise refused_address(host)


def refused_address(host: str) -> DocumentRefused:
    return DocumentRefused(
        "address_refused",
        f"“{host}” is not on the public Internet. To fetch from a machine of your own, name it in COPILOT_FETCH_ALLOW.",
    )


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as this machine knows it. Raises OSError."""
    found = await get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class CheckedResolver(AbstractResolver):
    """What the connection is made with: the addresses that were checked, or none."""

    def __init__(self, resolve: Resolve, allowed: Allowed) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._approved: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises DocumentRefused ``address_refused`` if one of the addresses may not be connected to; OSError."""
        found = await self._resolve(host, port)
        if not self._allowed.host(host) and not all(self._allowed.address(address) for address in found):
            raise refused_address(host)
        self._approved.update(found)
        return [_result(host, address, port) for address in found if family in (socket.AF_UNSPEC, _family(address))]

    def socket(self, connection: AddrInfoType) -> socket.socket:
        """For an address that was approved, or is allowed by itself: the last check, whatever the names were.

        Raises PermissionError.
        """
        family, kind, protocol, _, place = connection
        address = str(place[0])
        if address not in self._approved and not self._allowed.address(address):
            raise PermissionError(f"connecting to {address} is not allowed")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing is kept open."""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _result(host: str, address: str, port: int) -> ResolveResult:
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": _family(address),
        "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST,
    }


def _invalid() -> InvalidInput:
    return InvalidInput(
        "This is no address that can be fetched. Write it like https://example.com/page.", code="address_invalid"
    )
