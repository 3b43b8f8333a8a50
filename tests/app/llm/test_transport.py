"""HTTP as the SDK is given it, against servers that are a few lines."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest

from app.llm.transport import AiohttpTransport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


@asynccontextmanager
async def served(
    answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncGenerator[str]:
    """``answer`` is given the head of each request; → ``host:port``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=AiohttpTransport(url, connect_timeout=5.0)) as http:
        yield http


async def test_what_is_said_while_nobody_reads_comes_as_one_piece_with_the_end_behind_it() -> None:
    first_is_read = asyncio.Event()

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"one "))
        await first_is_read.wait()
        for word in (b"two ", b"three ", b"four"):
            writer.write(chunk(word))
            await asyncio.sleep(0.01)
        writer.write(END)

    async with served(answer) as host, client(f"http://{host}") as http, http.stream("GET", f"http://{host}") as said:
        pieces = []
        async for piece in said.aiter_raw():
            pieces.append(piece)
            first_is_read.set()
            await asyncio.sleep(0.2)

    assert pieces == [b"one ", b"two three four"]


async def test_a_reader_that_is_away_holds_the_server_up() -> None:
    written = 0

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(HEAD)
        while not writer.is_closing():
            writer.write(chunk(b"x" * 65_000))
            written += 65_000
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with served(answer) as host, client(f"http://{host}") as http:
        async with http.stream("GET", f"http://{host}") as said:
            await anext(said.aiter_raw())
            await asyncio.sleep(0.3)
            before = written
            await asyncio.sleep(0.3)

            assert written == before  # the kernel's buffers are full, and nobody empties them


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
async def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    heads = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(HEAD + chunk(b"proxied") + END)

    async with served(answer) as host:
        monkeypatch.setenv(variable, f"http://me:secret@{host}")
        async with client("http://model.example/v1") as http:
            said = await http.get("http://model.example/v1/models")

    assert said.text == "proxied"
    assert heads[0].startswith(b"GET http://model.example/v1/models ")
    assert b"proxy-authorization: basic bwu6c2vjcmv0" in heads[0].lower()


async def test_a_host_that_is_excepted_from_proxies_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(head.split()[1]) + END)

    async with served(answer) as host:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
        async with client(f"http://{host}") as http:
            said = await http.get(f"http://{host}/v1/models")

    assert said.text == "/v1/models"
