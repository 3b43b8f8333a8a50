"""Which TCP ports can be listened on."""

import errno
import ipaddress
import socket
import zlib
from pathlib import Path

from app.processes.words import StartFailure

LOOPBACK = "127.0.0.1"
# Below the ports that Linux (32768) and macOS (49152) give to outgoing connections, so that ours stay free.
FIRST, COUNT = 20_000, 12_000


def check_port(host: str, port: int) -> None:
    """Raises StartFailure with the sentence for a port that is busy or forbidden, or an address that is not ours."""
    try:
        with _listening(host, port):
            return
    except OSError as exc:
        raise _failure(host, port, exc) from exc


def port_is_free(host: str, port: int) -> bool:
    try:
        with _listening(host, port):
            return True
    except OSError:
        return False


def any_free_port(host: str = LOOPBACK) -> int:
    """A port that the system says is free. Raises StartFailure if the address cannot be used at all."""
    try:
        with _listening(host, 0) as listener:
            return int(listener.getsockname()[1])
    except OSError as exc:
        raise _failure(host, 0, exc) from exc


def settled_port(data: Path, name: str) -> int:
    """The loopback port of an embedded server: made from the folder and the name, so that every run finds the same
    one without writing it down; any free one if that is taken."""
    port = FIRST + zlib.crc32(f"{name}:{data.absolute()}".encode()) % COUNT
    return port if port_is_free(LOOPBACK, port) else any_free_port()


def reachable_host(host: str) -> str:
    """The address at which a server that listens on ``host`` is reached from this machine, as it stands in a URL."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return LOOPBACK if address.version == 4 else "[::1]"
    return host if address.version == 4 else f"[{host}]"


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # As servers do: connections of a server that has just ended do not block its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener


def _failure(host: str, port: int, exc: OSError) -> StartFailure:
    if exc.errno == errno.EADDRINUSE:
        return StartFailure("port_busy", host=host, port=port)
    if exc.errno == errno.EACCES:
        return StartFailure("port_forbidden", port=port)
    return StartFailure("host_unusable", host=host, reason=exc.strerror or str(exc))
