"""Does a server on this machine answer? Plain sockets: the supervisor stays small without the client libraries."""

import asyncio
from urllib.parse import urlsplit

PATIENCE = 2.0  # seconds for one answer; a server that starts is asked again


async def redis_answers(url: str) -> bool:
    """Whether the Redis at ``redis://[:password@]host:port`` says PONG; one that still loads its file does not."""
    parts = urlsplit(url)
    login = _command("AUTH", parts.password) if parts.password else b""
    request = login + _command("PING") + _command("QUIT")
    return b"+PONG\r\n" in await _exchange(parts.hostname or "", parts.port or 6379, request)


async def http_answers(url: str) -> bool:
    """Whether a GET of a plain ``http://`` URL gives a status of 2xx."""
    parts = urlsplit(url)
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    answer = await _exchange(parts.hostname or "", parts.port or 80, request.encode())
    return answer.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))


def _command(*words: str) -> bytes:
    """A Redis command as an array of bulk strings (RESP2)."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    """All that comes back until the server closes; empty if nobody is there or it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
