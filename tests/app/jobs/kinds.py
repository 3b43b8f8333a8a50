"""Small kinds of job for tests: their effects can be counted, and they stop where a test wants them to."""

import asyncio
import time
from typing import Literal

from app.jobs.ports import JobFailed, JobRequest, NewArtifact, Outcome, Preview, Quantities, Work
from knowledge.errors import Unavailable


class EchoRequest(JobRequest):
    text: str
    steps: int = 3
    step_seconds: float = 0.0
    fail: Literal["", "final", "down", "bug"] = ""
    amount_images: int = 1


class Echo:
    """Says its text back as a file, step by step; in a thread, as picture jobs work."""

    kind = "echo"
    queue: Literal["text", "image"] = "text"
    request = EchoRequest

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.down_for = 0
        self.started = asyncio.Event()

    def estimate(self, request: EchoRequest) -> Quantities:
        return Quantities(images=request.amount_images, seconds=request.steps * request.step_seconds)

    async def run(self, request: EchoRequest, work: Work) -> Outcome:
        self.runs.append(work.job_id)
        self.started.set()
        if request.fail == "final":
            raise JobFailed("This cannot be echoed.", code="echo_impossible", why="test")
        if request.fail == "bug":
            raise RuntimeError("a mistake of ours")
        if request.fail == "down" and len(self.runs) <= self.down_for:
            raise Unavailable("The echo is away.", code="echo_unavailable")
        await asyncio.to_thread(self._steps, request, work)
        artifact = NewArtifact(request.text.encode(), "text/plain", "回声.txt", {"engine": "echo"})
        return Outcome({"engine": "echo", "text": request.text}, (artifact,), Quantities(images=request.amount_images))

    def _steps(self, request: EchoRequest, work: Work) -> None:
        for step in range(request.steps):
            work.report(100 * step // request.steps, "echoing", Preview(text=request.text[: step + 1]))
            time.sleep(request.step_seconds)
        work.report(99, "echoing")


class Picture(Echo):
    """The same in the queue of pictures."""

    kind = "picture"
    queue: Literal["text", "image"] = "image"
