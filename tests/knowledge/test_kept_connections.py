"""Connections that stay open, and what becomes of those that don't."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
import uvloop

from knowledge.kept_connections import KeptConnections

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer, *, seconds: float = 5.0) -> AsyncIterator[tuple[KeptConnections, list[int]]]:
    """``answer`` is called with the number of each request of a connection; → how many each connection had."""
    asked: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(asked)
        asked.append(0)
        try:
            while not writer.is_closing() and (head := await reader.readuntil(b"\r\n\r\n")):
                assert head.startswith(b"POST /base/ask HTTP/1.1\r\nHost: 127.0.0.1:")
                assert b"\r\nX-Key: k\r\n" in head
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
                asked[number] += 1
                await answer(reader, writer, asked[number])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    kept = KeptConnections(f"http://127.0.0.1:{port}/base/", {"X-Key": "k"}, trusted=None, seconds=seconds)
    async with listening:
        yield kept, asked
        kept.close()


async def good(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno.%d" % number)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_questions_one_after_the_other_share_a_connection_and_those_at_once_have_one_each(
    run: Callable[[Coroutine[None, None, None]], None],
) -> None:
    async def asking() -> None:
        async with server(good) as (kept, asked):
            assert [await kept.post("/ask", b"{}") for _ in range(3)] == [(200, b"no.%d" % n) for n in (1, 2, 3)]
            assert asked == [3]
            await asyncio.gather(*(kept.post("/ask", b"{}") for _ in range(3)))
            assert sorted(asked) == [1, 1, 4]

    run(asking())


async def test_a_question_is_asked_again_where_the_server_closed_a_kept_connection() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        if number > 1:  # it had said that it would stay
            writer.transport.abort()
        else:
            await good(reader, writer, number)

    async with server(once) as (kept, asked):
        assert [await kept.post("/ask", b"{}") for _ in range(3)] == [(200, b"no.1")] * 3
        assert asked == [2, 2, 1]


async def test_a_body_in_pieces_is_whole_and_a_connection_that_ends_with_it_is_not_kept() -> None:
    async def chunked(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: int) -> None:
        head = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        for piece in (head, b"3\r\nnot\r\n", b"5\r\n here\r\n", b"0\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server(chunked) as (kept, asked):
        assert [await kept.post("/ask", b"{}") for _ in range(2)] == [(404, b"not here")] * 2
        assert asked == [1, 1]


@pytest.mark.parametrize(
    "said", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b""]
)
async def test_what_is_no_whole_answer_is_an_error(said: bytes) -> None:
    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: int) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    async with server(half) as (kept, _):
        with pytest.raises(ConnectionError):
            await kept.post("/ask", b"{}")


async def test_an_answer_that_nobody_waits_for_any_more_is_no_other_question_s() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(0.2)
        await good(reader, writer, number)

    async with server(late, seconds=0.05) as (kept, asked):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await kept.post("/ask", b"{}")
        assert asked == [1, 1]
