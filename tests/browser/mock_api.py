"""A double of the service, as the chat page sees it: static files, problem+json and scripted event streams.

It speaks plain HTTP from the standard library, so a test decides about every byte: where a piece is cut, when the
next one comes, and when the connection breaks. A turn is a list of steps; what was sent is recorded.
"""

import json
import mimetypes
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

from app.console.texts import for_jobs

WIDGET = Path(__file__).parents[2] / "app" / "widget"


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; it gets the next number of its turn as its id if the turn is ``numbered``."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are: comments, strange line ends, half a character."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Gate:
    """Waits until the test opens it, the reader asks to stop, or a minute has passed."""

    opened: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for ``seconds``, less if the reader asks to stop."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Breaks the connection in the middle of the body."""


Step: TypeAlias = Event | Raw | Gate | Wait | Drop


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem+json answer instead of a stream, to the next request or the next one whose path ends with ``at``."""

    status: int
    code: str
    detail: str = ""
    retry_after: int | None = None
    at: str = ""


@dataclass(slots=True)
class Turn:
    """A turn under way or over. ``sent`` counts the events that went out; a stop is obeyed between steps."""

    id: str
    conversation_id: str
    steps: Sequence[Step]
    numbered: bool = False
    sent: int = 0
    text: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Job:
    """What happens to a job; its events are numbered, and a reader who comes back gets what it has not seen.

    ``cancel`` is set by the page; a job that is cancelled at a gate ends there. A connection is dropped once a step.
    """

    id: str
    steps: Sequence[Step]
    cancel: threading.Event = field(default_factory=threading.Event)
    dropped: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def status_document() -> dict[str, Any]:
    """What ``GET /v1/status`` says of a service without a model and with one knowledge base."""
    return {
        "model": {"kind": "extractive", "name": "extractive"},
        "knowledge_bases": [{"name": "samples", "documents": 28}],
        "auth_required": False,
        "may_work": True,
        "suggestions": {"zh": [], "en": []},
    }


@dataclass
class MockApi:
    """What the server says; a test changes the fields before it acts. ``answer`` makes the steps for a question."""

    answer: Callable[[str], Sequence[Step]]
    status: dict[str, Any] = field(default_factory=status_document)
    required_key: str | None = None
    problems: list[Problem] = field(default_factory=list)
    numbered: bool = False
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    requests: list[Recorded] = field(default_factory=list)
    turns: dict[str, Turn] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def start(self) -> "MockApi":
        """Listens on a free port of the loopback address."""
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stops listening and lets go of every stream."""
        for turn in self.turns.values():
            turn.stop.set()
        for job in self.jobs.values():
            job.cancel.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sent(self, method: str, path: str) -> list[Recorded]:
        """The requests that came in for a path, in order."""
        return [one for one in list(self.requests) if one.method == method and one.path == path]

    def new_turn(self, question: str, conversation_id: str | None) -> Turn:
        """A turn for a question, in a conversation that is begun where none is named."""
        number = len(self.turns) + 1
        turn = Turn(f"turn-{number}", conversation_id or f"conversation-{number}", self.answer(question), self.numbered)
        self.turns[turn.id] = turn
        return turn


class _Gone(Exception):
    """The script broke the connection."""


class _Handler(BaseHTTPRequestHandler):
    """One connection. ``api`` is set on the subclass that ``MockApi.start`` makes."""

    api: MockApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_args: object) -> None:
        """Says nothing: the test reads ``requests``."""

    def do_OPTIONS(self) -> None:
        self._empty(204)

    def do_GET(self) -> None:
        self._record(None)
        if self.path == "/v1/status":
            if not self._refused():
                self._send(200, json.dumps(self.api.status).encode(), "application/json")
        elif match := re.fullmatch(r"/v1/turns/([\w-]+)/events", self.path):
            self._resume(match[1])
        elif match := re.fullmatch(r"/v1/jobs/([\w-]+)/events", self.path):
            self._job_events(match[1])
        elif match := re.fullmatch(r"/v1/artifacts/([\w-]+)\?.*signature=good.*", self.path):
            self._send(200, self.api.pictures[match[1]], "image/png")
        elif match := re.fullmatch(r"/console/static/words/(zh|en).json", self.path):
            self._send(200, json.dumps(for_jobs("zh" if match[1] == "zh" else "en")).encode(), "application/json")
        else:
            self._file(self.path.split("?")[0])

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(length)
        is_json = self.headers.get("content-type", "").startswith("application/json")
        body: Any = json.loads(data) if data and is_json else data or None
        self._record(body)
        if self._refused():
            return
        if self.path == "/v1/chat":
            self._stream(self.api.new_turn(body["question"], body.get("conversation_id")))
        elif match := re.fullmatch(r"/v1/turns/([\w-]+)/(stop|feedback|regenerate)", self.path):
            self._turn(match[1], match[2])
        elif self.path == "/v1/artifacts":
            self._upload(data)
        elif (match := re.fullmatch(r"/v1/jobs/([\w-]+)/cancel", self.path)) and match[1] in self.api.jobs:
            self.api.jobs[match[1]].cancel.set()
            self._send(200, b"{}", "application/json")
        else:
            self._problem(Problem(404, "not_found"))

    def _record(self, body: Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.api.requests.append(Recorded(self.command, self.path, headers, body))

    def _refused(self) -> bool:
        key = self.api.required_key
        given = self.headers.get("authorization")
        public = self.path == "/v1/status"
        if key and not public and given != f"Bearer {key}":
            self._problem(Problem(401, "key_invalid" if given else "key_missing", "A valid key is needed."))
            return True
        if self.api.problems and not public and self.path.endswith(self.api.problems[0].at):
            self._problem(self.api.problems.pop(0))
            return True
        return False

    def _upload(self, body: bytes) -> None:
        head, _, rest = body.partition(b"\r\n\r\n")
        name = re.search(r'filename="([^"]*)"', head.decode())
        number = f"picture-{sum(name.startswith('picture-') for name in self.api.pictures) + 1}"
        self.api.pictures[number] = rest.rpartition(b"\r\n--")[0]
        made = {"id": number, "name": name[1] if name else "", "link": f"/v1/artifacts/{number}?signature=good"}
        self._send(201, json.dumps(made).encode(), "application/json")

    def _job_events(self, job_id: str) -> None:
        job = self.api.jobs.get(job_id)
        if job is None:
            self._problem(Problem(404, "job_not_found"))
            return
        seen = int((self.headers.get("last-event-id") or "0").partition("-")[0])
        turn = Turn(job_id, "", (), numbered=True, stop=job.cancel)
        self._stream(turn, self._unseen(turn, job, seen), job=True)

    def _unseen(self, turn: Turn, job: Job, seen: int) -> Iterator[Step]:
        for number, step in enumerate(job.steps):
            if isinstance(step, Event) and turn.sent < seen:
                turn.sent += 1
            elif number not in job.dropped:
                job.dropped |= {number} if isinstance(step, Drop) else set()
                yield step

    def _turn(self, turn_id: str, action: str) -> None:
        turn = self.api.turns.get(turn_id)
        if turn is None:
            self._problem(Problem(404, "turn_not_found"))
        elif action == "stop":
            turn.stop.set()
            self._empty(202)
        elif action == "feedback":
            self._empty(204)
        else:
            self._stream(self.api.new_turn("regenerate", turn.conversation_id))

    def _resume(self, turn_id: str) -> None:
        turn = self.api.turns.get(turn_id)
        if turn is None:
            self._problem(Problem(404, "turn_not_found"))
            return
        seen = int(self.headers.get("last-event-id") or 0)
        events = [step for step in turn.steps if isinstance(step, Event)]
        turn.sent = seen
        self._stream(turn, events[seen:])

    def _stream(self, turn: Turn, steps: Iterable[Step] | None = None, *, job: bool = False) -> None:
        self.send_response(200)
        self._cors()
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for step in turn.steps if steps is None else steps:
                if turn.stop.is_set():
                    end = ended_job(turn.id, "cancelled") if job else done(turn.text, stopped=True)
                    self._event(turn, Event("done", {"job": end} if job else end))
                    break
                self._step(turn, step)
            self.wfile.write(b"0\r\n\r\n")
        except (_Gone, ConnectionError):
            self.close_connection = True

    def _step(self, turn: Turn, step: Step) -> None:
        if isinstance(step, Event):
            self._event(turn, step)
        elif isinstance(step, Raw):
            self._chunk(step.data)
        elif isinstance(step, Wait):
            turn.stop.wait(step.seconds)
        elif isinstance(step, Gate):
            for _ in range(1200):
                if step.opened.wait(0.05) or turn.stop.is_set():
                    break
        else:
            raise _Gone

    def _event(self, turn: Turn, event: Event) -> None:
        turn.sent += 1
        turn.text += event.data["text"] if event.name == "token" else ""
        data = dict(event.data)
        if event.name in {"started", "done"} and turn.conversation_id:
            data |= {"turn_id": turn.id, "conversation_id": turn.conversation_id}
        number = f"id: {turn.sent}{'' if turn.conversation_id else '-0'}\n" if turn.numbered else ""
        self._chunk(f"{number}event: {event.name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _file(self, path: str) -> None:
        if path in self.api.pages:
            text, headers = self.api.pages[path]
            self._send(200, text.encode(), "text/html; charset=utf-8", headers)
            return
        names = {"/": "chat.html", "/widget.js": "widget.js"}
        file = WIDGET / names.get(path, path.removeprefix("/widget/"))
        if (path in names or path.startswith("/widget/")) and file.is_file():
            self._send(200, file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        else:
            self._problem(Problem(404, "not_found"))

    def _problem(self, problem: Problem) -> None:
        body = {"title": problem.code, "detail": problem.detail, "status": problem.status, "code": problem.code}
        headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
        self._send(problem.status, json.dumps(body).encode(), "application/problem+json", headers)

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self._cors()
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self._cors()
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _cors(self) -> None:
        """The widget runs on other people's pages: module scripts and the API are fetched across origins."""
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "authorization, content-type, last-event-id")
        self.send_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
        self.send_header("Access-Control-Expose-Headers", "retry-after")


def ended_job(job_id: str, state: str, **more: Any) -> dict[str, Any]:
    """A job as ``GET /v1/jobs/{id}`` shows it at its end."""
    return {
        "id": job_id,
        "kind": "white_background",
        "queue": "image",
        "state": state,
        "request": {},
        "result": None,
        "artifacts": [],
        "error": None,
    } | more


def done(answer: str, *, citations: Sequence[int] = (), stopped: bool = False, **more: Any) -> dict[str, Any]:
    """The payload of ``done``, less the ids that the server fills in."""
    return {
        "answer": answer,
        "citations": list(citations),
        "refused": False,
        "cached": None,
        "curated": False,
        "model": "qwen-plus",
        "usage": {"prompt_tokens": 812, "completion_tokens": 96},
        "timings_ms": {} if stopped else {"total": 1240},
        "notice": None,
    } | more
