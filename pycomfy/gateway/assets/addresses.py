"""Which network addresses an input may be fetched from: those of the public internet."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NEVER: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            # Public by number, but Azure's hosts answer their guests at it.
            "168.63.129.16/32",
            # Of protocols. Oracle's hosts answer their guests at 192.0.0.192.
            "192.0.0.0/24",
            # Relays and tunnels, which lead to addresses that the number does not show.
            "192.88.99.0/24",
            "2002::/16",
            "2001::/32",
            # For examples since 2024: older Pythons do not know.
            "3fff::/20",
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether it belongs to a host on the public internet, whatever form it is written in.

    Not public: private, shared (100.64.0.0/10), loopback, link-local, multicast, reserved, unspecified and
    documentation addresses, IPv6 forms of IPv4 addresses, and addresses of NAT64 that lead to an IPv4 address which is
    not public.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and ip.scope_id is not None:
        return False
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    if ip.is_multicast or ip.is_reserved or any(ip in network for network in _NEVER if network.version == ip.version):
        return False
    return ip.is_global


@dataclass(frozen=True)
class Trusted:
    """Hosts of the deployment's own network that inputs may come from all the same."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "Trusted":
        """Of `HOST`, `HOST:PORT`, addresses and networks (`10.1.0.0/16`). Raises `ValueError`."""
        names, networks = set(), []
        for entry in entries:
            if "/" in entry:
                networks.append(ipaddress.ip_network(entry))
            else:
                names.add(_plain(entry))
        return cls(frozenset(names), tuple(networks))

    def has_host(self, host: str, port: int | None) -> bool:
        """Whether a name or address, as it stands in a URL, is one of them."""
        plain = _plain(host)
        bracketed = f"[{plain}]" if ":" in plain else plain
        return not self.names.isdisjoint((plain, bracketed, f"{bracketed}:{port}"))

    def has_address(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.networks if network.version == ip.version)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
