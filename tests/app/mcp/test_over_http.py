"""MCP at /mcp as the SDK's own client has it, over a real socket."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from app.identity.keys import Scope
from app.jobs.runner import JobRunner
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, take_in
from tests.serving import listening
from tests.studio_kinds import TitlesHandler, photo

QUESTION = "旗舰店的保证金是多少？"
TITLES = {"kind": "titles", "product_name": "保温杯", "facts": ["材质：316不锈钢"]}


@asynccontextmanager
async def connected(url: str, key: str | None, **more: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), **more) as client,
    ):
        yield client


@asynccontextmanager
async def agent(data: Path, scope: Scope = Scope.WRITE, **more: Any) -> AsyncIterator[tuple[Client, Services]]:
    """An agent with a key, at a service with a document and a text job that needs no model."""
    async with listening(data, require_keys=True, handlers=[TitlesHandler()]) as (url, services):
        await take_in(services, "shop", "费用.md", FEES)
        _, key = await services.keys.issue(DEFAULT_TENANT, "agent", scope=scope)
        async with connected(url, key, **more) as client:
            yield client, services


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def error_of(result: CallToolResult) -> str:
    """The code; the sentence must be there."""
    assert result.is_error
    error = result.structured_content["error"]
    assert text_of(result) == f"{error['message']} [{error['code']}]"
    return str(error["code"])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_described_and_answer_in_either_protocol(tmp_path: Path, mode: str) -> None:
    async with agent(tmp_path, mode=mode) as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("ask", {"question": QUESTION})
    assert set(tools) == {"search_knowledge", "ask", "create_copy", "make_image", "job_status"}
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema
        assert all("description" in each for each in tool.input_schema["properties"].values()), tool.name
    assert tools["ask"].annotations.read_only_hint
    assert not tools["make_image"].annotations.read_only_hint
    assert "50000" in answer.structured_content["answer"]


async def test_an_answer_has_its_citations_and_goes_on_in_its_conversation(tmp_path: Path) -> None:
    async with agent(tmp_path) as (client, services):
        first = await client.call_tool("ask", {"question": QUESTION, "kb": ["shop"]})
        told = first.structured_content
        again = {"question": "那专营店呢？", "conversation_id": told["conversation_id"]}
        second = await client.call_tool("ask", again)
        past = await services.conversations.past(DEFAULT_TENANT, told["conversation_id"])
    assert told["refused"] is False
    assert told["citations"][0]["document"] == "费用.md"
    assert "50000" in told["citations"][0]["text"]
    assert "[1] 费用.md" in text_of(first)
    assert second.structured_content["conversation_id"] == told["conversation_id"]
    assert [turn.question for turn in past] == [QUESTION, "那专营店呢？"]


async def test_a_search_gives_the_passages(tmp_path: Path) -> None:
    async with agent(tmp_path) as (client, _):
        found = await client.call_tool("search_knowledge", {"query": "佣金比例", "limit": 1})
    (passage,) = found.structured_content["passages"]
    assert (passage["document"], passage["kb"], passage["n"]) == ("费用.md", "shop", 1)
    assert json.loads(text_of(found)) == found.structured_content


async def test_copy_is_written_by_a_job_that_can_be_waited_for(tmp_path: Path) -> None:
    async with agent(tmp_path) as (client, services):
        started = (await client.call_tool("create_copy", TITLES)).structured_content
        assert started["state"] == "queued"
        await JobRunner(services.jobs, "w").drain("text")
        done = await client.call_tool("job_status", {"job_id": started["job_id"], "wait_seconds": 20})
        job = await services.jobs.ledger.get(DEFAULT_TENANT, started["job_id"])
    assert done.structured_content["state"] == "succeeded"
    assert done.structured_content["result"]
    assert job.channel.name == "mcp"
    assert job.requester.startswith("key:")


async def test_a_picture_is_sent_along_and_its_file_is_a_link(tmp_path: Path) -> None:
    picture = f"data:image/jpeg;base64,{base64.b64encode(photo()).decode()}"
    async with agent(tmp_path) as (client, services):
        started = await client.call_tool("make_image", {"kind": "crop", "image": picture, "preset": "taobao"})
        job_id = started.structured_content["job_id"]
        await JobRunner(services.jobs, "w").drain("image")
        done = (await client.call_tool("job_status", {"job_id": job_id})).structured_content
        assert done["state"] == "succeeded", str(done)
        async with httpx.AsyncClient() as http:
            got = await http.get(done["files"][0]["url"])
    assert got.status_code == 200
    assert got.headers["content-type"] == done["files"][0]["media_type"]


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("search_knowledge", {"query": "x", "kb": ["none"]}, "knowledge_base_not_found"),
        ("search_knowledge", {"query": "x", "limit": 0}, "tool_arguments_invalid"),
        ("search_knowledge", {"question": "x"}, "tool_arguments_invalid"),
        ("ask", {"question": "  "}, "question_empty"),
        ("ask", {"question": "?", "conversation_id": "none"}, "conversation_not_found"),
        ("job_status", {"job_id": "none"}, "job_not_found"),
        ("create_copy", {"kind": "titles"}, "arguments_missing"),
        ("create_copy", {"kind": "poem"}, "tool_arguments_invalid"),
        ("make_image", {"kind": "white_background"}, "arguments_missing"),
        ("make_image", {"kind": "white_background", "image": "data:text/plain,x"}, "picture_url_unsupported"),
        ("delete_everything", {}, "tool_unknown"),
    ],
)
async def test_a_mistake_is_a_tool_error_with_our_code(
    tmp_path: Path, tool: str, arguments: dict[str, Any], code: str
) -> None:
    async with agent(tmp_path) as (client, _):
        assert error_of(await client.call_tool(tool, arguments)) == code


async def test_keys_open_what_their_scope_says_and_tenants_are_apart(tmp_path: Path) -> None:
    async with listening(tmp_path, require_keys=True, handlers=[TitlesHandler()]) as (url, services):
        await take_in(services, "shop", "费用.md", FEES)
        await services.parts.catalog.ensure_tenant("other", "Other")
        _, reader = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        _, writer = await services.keys.issue(DEFAULT_TENANT, "writer", scope=Scope.WRITE)
        _, other = await services.keys.issue("other", "admin", scope=Scope.ADMIN)
        async with connected(url, reader) as client:
            assert error_of(await client.call_tool("create_copy", TITLES)) == "scope_missing"
        async with connected(url, writer) as client:
            job = (await client.call_tool("create_copy", TITLES)).structured_content
        async with connected(url, other) as client:
            assert error_of(await client.call_tool("job_status", {"job_id": job["job_id"]})) == "job_not_found"
            nothing = await client.call_tool("search_knowledge", {"query": "佣金"})
            assert nothing.structured_content == {"passages": []}
        async with httpx.AsyncClient() as http:
            for key, code in ((None, "key_missing"), ("sk_wrong", "key_invalid")):
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                refused = await http.post(f"{url}/mcp", headers=headers, json={})
                assert (refused.status_code, refused.json()["code"]) == (401, code)
                assert refused.headers["www-authenticate"] == "Bearer"


async def test_without_keys_another_sites_page_is_kept_out(tmp_path: Path) -> None:
    async with listening(tmp_path) as (url, _):
        async with httpx.AsyncClient() as http:
            for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
                assert (await http.post(f"{url}/mcp", headers=headers, json={})).status_code == 401
        async with connected(url, None) as client:
            assert (await client.list_tools()).tools
