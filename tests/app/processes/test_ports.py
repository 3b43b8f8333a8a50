"""Which ports can be had."""

import socket
from pathlib import Path

import pytest

from app.processes.ports import any_free_port, check_port, port_is_free, reachable_host, settled_port
from app.processes.words import StartFailure


def test_a_port_somebody_listens_on_is_busy_and_free_again_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
        with pytest.raises(StartFailure) as caught:
            check_port("127.0.0.1", port)
        assert caught.value.error_code == "port_busy"
        # a connection that lingers in TIME_WAIT must not count
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            client.recv(1)
    check_port("127.0.0.1", port)


def test_a_port_taken_on_all_addresses_is_busy_on_each() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104
        assert not port_is_free("127.0.0.1", server.getsockname()[1])


def test_an_address_that_is_not_ours_is_said_so() -> None:
    with pytest.raises(StartFailure) as caught:
        check_port("192.0.2.1", 8000)  # TEST-NET-1, RFC 5737
    assert caught.value.error_code == "host_unusable"
    with pytest.raises(StartFailure, match="cannot listen on the address 192"):
        any_free_port("192.0.2.1")


def test_a_folder_keeps_its_ports_and_two_folders_have_different_ones(tmp_path: Path) -> None:
    first, again = settled_port(tmp_path / "a", "redis"), settled_port(tmp_path / "a", "redis")
    assert first == again
    assert len({first, settled_port(tmp_path / "a", "chroma"), settled_port(tmp_path / "b", "redis")}) == 3


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.168.1.5", "192.168.1.5"),
        ("localhost", "localhost"),
    ],
)
def test_a_server_on_every_address_is_reached_at_the_loopback(host: str, reached_at: str) -> None:
    assert reachable_host(host) == reached_at
