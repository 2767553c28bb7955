"""Know the names that the server answers to.

A name of another site can be made to point to this machine (DNS rebinding), and its page then asks as one of this
server. So a request must name a loopback address, or a host that is known. An address is never such a name: no site is
reached by it whose page it was not.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Hosts:
    """`names` besides those of the loopback interface; `addresses` says whether every address is one."""

    names: frozenset[str] = frozenset()
    addresses: bool = False

    def has(self, host: str) -> bool:
        """Return whether a Host header is one of them. Any port may be: it may be that of a tunnel or a proxy."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower()
        return name in LOOPBACK_NAMES or name in self.names or (self.addresses and _is_address(name))


def known_hosts(names: Iterable[str]) -> Hosts:
    """Return the hosts of a server that other machines reach."""
    return Hosts(frozenset(name.lower() for name in names if name), addresses=True)


def is_loopback(host: str) -> bool:
    """Return whether a Host header names this machine alone."""
    return Hosts().has(host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
