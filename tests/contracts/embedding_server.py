"""A real HTTP server on this machine that speaks the OpenAI embeddings protocol, with HashingEmbedder behind it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from knowledge.embeddings.hashing import HashingEmbedder

KEY = "sk-right"
MODEL = "test/Embedding Model_1"


@dataclass
class EmbeddingServer:
    """``answer`` replaces the whole reply (status, body) while it is set; ``requests`` are the bodies received."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[], tuple[int, Any]] | None = None
    delay_s: float = 0.0

    def reply(self, key: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.requests.append(body)
        time.sleep(self.delay_s)
        if self.answer:
            return self.answer()
        if key != f"Bearer {KEY}":
            return 401, {"error": {"message": "wrong key"}}
        if body["model"] != MODEL:
            return 404, {"error": {"message": "no such model"}}
        vectors = HashingEmbedder().embed_passages(body["input"])[:, : body.get("dimensions")] * 3  # not of length 1
        return 200, vectors_body(vectors, body.get("encoding_format", "float"))


def vectors_body(vectors: Sequence[Any], encoding: str = "float") -> dict[str, Any]:
    """The last vector first: an endpoint may answer in any order, ``index`` counts."""
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, encoding)}
        for index, vector in reversed(list(enumerate(vectors)))
    ]
    return {"object": "list", "model": MODEL, "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def _encoded(vector: Any, encoding: str) -> Any:
    array = np.asarray(vector, np.float32)
    return base64.b64encode(array.tobytes()).decode() if encoding == "base64" else array.tolist()


@contextmanager
def embedding_server() -> Generator[EmbeddingServer]:
    """Serves on a free port until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = state.reply(self.headers["Authorization"], body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status if self.path == "/v1/embeddings" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            """A client that gave up waiting is part of the test."""

    server = Server(("127.0.0.1", 0), Handler)
    state = EmbeddingServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
