"""``copilot mcp`` as an agent starts it: a real process, spoken to by the SDK's own client."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mcp import Client, StdioServerParameters

from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.e2e.test_cli import copilot
from tests.products import FEES, take_in
from tests.serving import listening
from tests.studio_kinds import photo

pytestmark = pytest.mark.processes

QUESTION = "旗舰店的保证金是多少？"


@asynccontextmanager
async def agent(data: Path, **env: str) -> AsyncIterator[Client]:
    command = ["-m", "app", "mcp", "--data", str(data)]
    server = StdioServerParameters(command=sys.executable, args=command, env={**environ, **env})
    async with Client(server) as client:
        yield client


async def test_without_a_service_it_starts_what_it_needs_and_does_the_jobs_itself(tmp_path: Path) -> None:
    folder, data = tmp_path / "docs", tmp_path / "data"
    folder.mkdir()
    (folder / "费用.md").write_text(FEES, encoding="utf-8")
    assert copilot(data, "ingest", str(folder), "--kb", "shop").returncode == 0
    picture = f"data:image/jpeg;base64,{base64.b64encode(photo()).decode()}"
    async with agent(data) as client:
        assert len((await client.list_tools()).tools) == 5
        answer = (await client.call_tool("ask", {"question": QUESTION})).structured_content
        assert "50000" in answer["answer"]
        assert answer["citations"][0]["document"] == "费用.md"
        started = await client.call_tool("make_image", {"kind": "crop", "image": picture, "preset": "taobao"})
        waiting = {"job_id": started.structured_content["job_id"], "wait_seconds": 50}
        done = (await client.call_tool("job_status", waiting)).structured_content
        assert done["state"] == "succeeded", str(done)
        (file,) = done["files"]
        kept = Path(unquote(urlsplit(file["url"]).path))
    assert kept.stat().st_size == file["size"]  # noqa: ASYNC240 (nobody else is waiting)


async def test_with_a_service_it_hands_on_with_its_key_and_its_refusals(tmp_path: Path) -> None:
    async with listening(tmp_path / "service", require_keys=True) as (url, services):
        await take_in(services, "shop", "费用.md", FEES)
        _, key = await services.keys.issue(DEFAULT_TENANT, "agent", scope=Scope.READ)
        async with agent(tmp_path / "none", COPILOT_URL=url, COPILOT_API_KEY=key) as client:
            answer = (await client.call_tool("ask", {"question": QUESTION})).structured_content
            refused = await client.call_tool("make_image", {"kind": "crop", "image": "x"})
        assert "50000" in answer["answer"]
        assert refused.is_error
        assert refused.structured_content["error"]["code"] == "scope_missing"


async def test_a_wrong_key_and_a_silent_service_are_one_sentence(tmp_path: Path) -> None:
    async with listening(tmp_path / "service", require_keys=True) as (url, _):
        for where, code in ((url, "key_missing"), ("http://127.0.0.1:9", "service_unavailable")):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "app", "mcp", "--data", str(tmp_path / "none")),
                env={**environ, "COPILOT_URL": where},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            assert process.returncode == 1
            assert f"[{code}]" in said.decode()
            assert len(said.decode().strip().splitlines()) == 1
