"""Pictures and jobs as a chat page meets them: attached, and told about by the service."""

import base64
from typing import Any

from playwright.async_api import Locator, Page

from tests.browser.mock_api import Event, Job, MockApi, Step, done, ended_job
from tests.studio_kinds import photo

MUG = photo((240, 180))
PREVIEW = f"data:image/jpeg;base64,{base64.b64encode(photo((60, 45))).decode()}"


async def attach(page: Page, *pictures: bytes, name: str = "杯子.jpg") -> None:
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for data in pictures or (MUG,)]
    await page.set_input_files(".attach input", files)  # type: ignore[arg-type]


def starting(*ids: str, kind: str = "white_background") -> list[Step]:
    """A turn that starts jobs and says so."""
    jobs = [Event("job", {"id": job_id, "kind": kind, "state": "queued"}) for job_id in ids]
    return [Event("started", {}), *jobs, Event("token", {"text": "已开始。"}), Event("done", done("已开始。"))]


def progress(percent: int, stage: str, **preview: str) -> Event:
    return Event("progress", {"percent": percent, "stage": stage, **({"preview": preview} if preview else {})})


def state(name: str, **more: str) -> Event:
    return Event("state", {"id": "j1", "kind": "white_background", "state": name, "percent": 0, **more})


def succeeded(api: MockApi, job_id: str, *, image: str | None = None, **more: Any) -> Event:
    """The end of a job that made a picture."""
    api.pictures["made"] = photo((300, 300), ground="#ffffff")
    link = "/v1/artifacts/made?expires=1&signature=good"
    about = {"width": 300, "height": 300}
    file = {"id": "made", "name": "白底图.png", "media_type": "image/png", "link": link, "about": about}
    request = {"image": image} if image else {}
    return Event("done", {"job": ended_job(job_id, "succeeded", artifacts=[file], request=request) | more})


def failed(job_id: str, code: str, message: str, **params: str) -> Event:
    error = {"code": code, "message": message, "params": params}
    return Event("done", {"job": ended_job(job_id, "failed", error=error)})


def run(api: MockApi, *steps: Step, job_id: str = "j1") -> None:
    """What happens to a job, and that the next answer starts it."""
    api.jobs[job_id] = Job(job_id, steps)
    api.answer = lambda _: starting(*api.jobs)


def card(page: Page) -> Locator:
    return page.locator(".turn:last-of-type .job")
