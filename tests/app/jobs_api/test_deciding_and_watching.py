"""Jobs cancelled, tried again and judged over HTTP, and watched to their end."""

import asyncio
from pathlib import Path

from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import code_of, create, events_of, served, work

# deciding


async def test_a_queued_job_is_cancelled_at_once_and_an_ended_one_not_any_more(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http)
        assert (await http.post(f"/v1/jobs/{made['id']}/cancel")).json()["state"] == "cancelled"
        assert await work(services) == 0
        assert code_of(await http.post(f"/v1/jobs/{made['id']}/cancel")) == (409, "job_ended")


async def test_a_job_is_tried_again_with_changes_as_a_new_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http, fail="final", conversation_id="c1")
        path = f"/v1/jobs/{made['id']}/retry"
        assert code_of(await http.post(path)) == (422, "job_not_ended")
        await work(services)
        assert code_of(await http.post(path, json={"changes": {"colour": "red"}})) == (422, "job_request_invalid")
        again = await http.post(path, json={"changes": {"fail": "", "text": "这次"}})
        assert again.status_code == 202
        assert (again.json()["retry_of"], again.json()["conversation_id"]) == (made["id"], "c1")
        await work(services)
        done = (await http.get(f"/v1/jobs/{again.json()['id']}")).json()
        assert (done["state"], done["result"]["text"]) == ("succeeded", "这次")
        same = (await http.post(path)).json()
        assert same["request"] == made["request"]


async def test_a_result_is_approved_or_rejected_with_a_reason_and_the_last_word_counts(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http)
        path = f"/v1/jobs/{made['id']}/review"
        assert code_of(await http.post(path, json={"verdict": "approved"})) == (409, "job_not_done")
        await work(services)
        rejected = (await http.post(path, json={"verdict": "rejected", "reason": "太暗"})).json()
        assert rejected["review"] == {"state": "rejected", "reason": "太暗", "by": "local"}
        assert (await http.post(path, json={"verdict": "approved"})).json()["review"]["state"] == "approved"
        assert code_of(await http.post(path, json={"verdict": "pending"})) == (422, "invalid_input")


# watching


async def test_a_job_is_watched_from_the_queue_to_its_end_and_on_from_any_event(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http, text="看看", steps=4, step_seconds=0.12)
        path = f"/v1/jobs/{made['id']}/events"
        watched, _ = await asyncio.gather(http.get(path), work(services))
        assert watched.headers["content-type"].startswith("text/event-stream")
        assert watched.headers["x-accel-buffering"] == "no"
        events = events_of(watched.text)
        states = [data["state"] for _, name, data in events if name == "state"]
        assert states[-3:] == ["queued", "running", "succeeded"]
        assert "看" in [data.get("preview", {}).get("text") for _, name, data in events if name == "progress"]
        last_id, name, data = events[-1]
        assert (name, data["job"]["state"], data["job"]["artifacts"][0]["name"]) == ("done", "succeeded", "回声.txt")
        resumed = events_of((await http.get(path, headers={"Last-Event-ID": last_id})).text)
        assert [name for _, name, _ in resumed] == ["done"]

        second = await create(http, text="再看", steps=4, step_seconds=0.12)
        path = f"/v1/jobs/{second['id']}/events"
        watched, _ = await asyncio.gather(http.get(path), work(services))
        every = [number for number, name, _ in events_of(watched.text) if name != "done"]
        assert every == sorted(every, key=lambda number: int(number.partition("-")[0]))


async def test_the_end_of_a_job_is_told_though_its_event_was_never_written(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http)

        async def ends_while_redis_is_away() -> None:
            await asyncio.sleep(0.2)
            await services.jobs.ledger.cancel(DEFAULT_TENANT, made["id"])

        watched, _ = await asyncio.gather(http.get(f"/v1/jobs/{made['id']}/events"), ends_while_redis_is_away())
        events = [(name, data) for _, name, data in events_of(watched.text)]
        assert [data["state"] for name, data in events if name == "state"][-1] == "cancelled"
        assert events[-1][0] == "done"


async def test_what_cannot_be_watched_is_said_before_the_stream_begins(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert code_of(await http.get("/v1/jobs/none/events")) == (404, "job_not_found")
        made = await create(http)
        bad = await http.get(f"/v1/jobs/{made['id']}/events", headers={"Last-Event-ID": "yesterday"})
        assert code_of(bad) == (422, "invalid_input")
