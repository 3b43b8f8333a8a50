"""The console in a real browser, against the real service: real SQL, search and pipeline; a quick embedder."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Page, expect

from app.identity.keys import Scope
from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Vector
from knowledge.vectors import MemoryVectors
from tests.browser.conftest import NewPage
from tests.products import FEES, RETURNS, settings_for, take_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=document.title='taken'>.txt"


class GatedEmbedder(HashingEmbedder):
    """Embeds nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def embed_passages(self, texts: list[str]) -> Vector:  # type: ignore[override]
        assert self.gate.wait(timeout=60)
        return super().embed_passages(texts)


@dataclass
class Server:
    """The service on a port of its own, in a thread with its own loop, which also does a worker's work."""

    data: Path
    overrides: dict[str, object]
    embedder: GatedEmbedder = field(default_factory=GatedEmbedder)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    handlers: Sequence[Handler[Any]] = ()

    def start(self) -> "Server":
        self._stopping = False
        twins = Twins(embedder=self.embedder, vectors=MemoryVectors(), queue=self.queue, handlers=self.handlers)
        self._app = create_app(settings_for(self.data, **self.overrides), twins=twins)
        self._uvicorn = uvicorn.Server(uvicorn.Config(self._app, port=0, log_level="error", ws="none"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        until = time.monotonic() + 60
        while not self._uvicorn.started:
            assert time.monotonic() < until, "the service did not start"
            time.sleep(0.02)
        return self

    @property
    def url(self) -> str:
        host, port = self._uvicorn.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    def do(self, work: Callable[[Services], Awaitable[object]]) -> object:
        """Something on the service's own loop."""

        async def call() -> object:
            return await work(self._app.state.services)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(timeout=60)

    def close(self) -> None:
        self.embedder.gate.set()
        self._stopping = True
        asyncio.run_coroutine_threadsafe(self._worked_out(), self._loop).result(timeout=60)
        self._uvicorn.should_exit = True
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            self._worker = tasks.create_task(self._work(self._app))
            await self._uvicorn.serve()

    async def _worked_out(self) -> None:
        await self._worker

    async def _work(self, app: FastAPI) -> None:
        while not self._stopping:
            while self.queue.sent:
                queue, _ = self.queue.sent.pop(0)
                await JobRunner(app.state.services.jobs, "test").drain(queue)
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path) -> AsyncGenerator[Callable[..., Server]]:
    """Starts services, each in a folder of its own, and stops them."""
    servers: list[Server] = []

    def start(**overrides: object) -> Server:
        servers.append(Server(tmp_path / f"data{len(servers)}", overrides).start())
        return servers[-1]

    yield start
    for server in servers:
        await asyncio.to_thread(server.close)


Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(new_page: NewPage) -> AsyncGenerator[Open]:
    """Opens a page of the console; anything its security policy had to block fails the test."""
    blocked: list[str] = []

    async def open_page(url: str, **options: object) -> Page:
        page = await new_page("about:blank", **options)
        page.on("console", lambda said: blocked.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto(url)
        return page

    yield open_page
    assert blocked == []


@pytest.fixture
def shop(serve: Callable[..., Server]) -> Server:
    """A service with a knowledge base “shop” that holds two documents."""
    server = serve()

    async def fill(services: Services) -> None:
        await take_in(services, "shop", "规则/费用.md", FEES)
        await take_in(services, "shop", "规则/退货.md", RETURNS)

    server.do(fill)
    return server


async def drop(page: Page, *paths: Path) -> None:
    """Files or folders of this machine, dragged onto the page as from a file manager."""
    devtools = await page.context.new_cdp_session(page)
    what = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    over = page.locator("#upload[data-over]")
    while not await over.count():  # whoever drags goes on moving until the page, which may still be loading, takes it
        for kind in ("dragEnter", "dragOver"):
            await devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": what})
        await page.wait_for_timeout(100)
    await devtools.send("Input.dispatchDragEvent", {"type": "drop", "x": 400, "y": 300, "data": what})


def written(folder: Path, files: dict[str, bytes | str]) -> list[Path]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


async def create(page: Page, name: str) -> None:
    await page.click("[data-open=create]")
    await page.fill("#create [name=name]", name)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#upload")


async def overflow(page: Page) -> int:
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


# --- documents in ---


async def test_dropped_files_are_followed_until_they_are_live_or_failed(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    server = serve()
    page = await open_console(f"{server.url}/console")
    await create(page, "店铺规则")
    server.embedder.gate.clear()
    good, torn = written(tmp_path / "in", {"费用.md": FEES, "torn.pdf": b"%PDF-1.7\ntorn"})
    await drop(page, good, torn)
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 2 个文件")
    row = page.locator("tbody tr", has_text="费用.md")
    await expect(row.locator(".chip")).to_have_text("处理中")
    await expect(row.locator(".stage")).to_contain_text("向量化")
    await expect(row.locator("progress")).to_have_attribute("value", "15")
    await expect(page.locator("#announcer")).to_contain_text("处理中")
    server.embedder.gate.set()
    await expect(row.locator(".chip")).to_have_text("已生效")
    failed = page.locator("tbody tr", has_text="torn.pdf")
    await expect(failed.locator(".chip")).to_have_text("失败")
    await expect(failed.locator(".reason")).to_contain_text("文件已损坏，读不出来")
    await expect(failed.locator(".reason code")).to_have_text("corrupt")
    await expect(page.locator("#announcer")).to_have_text("处理中 0 份，已生效 1 份，失败 1 份")
    await expect(page.locator(".transfer")).to_have_count(0)
    await expect(page.locator("#documents[data-active]")).to_have_count(0)


async def test_a_dropped_folder_keeps_its_paths_and_leaves_system_files_behind(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{serve().url}/console")
    await create(page, "shop")
    files = {f"资料/规则/第{n}条.md": f"# 第{n}条\n\n内容。" for n in range(120)}  # a browser lists 100 at a time
    written(tmp_path / "in", {**files, "资料/费用.md": FEES, "资料/.DS_Store": b"x", "资料/~$费用.docx": b"x"})
    await drop(page, tmp_path / "in" / "资料")
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 121 个文件", timeout=150_000)
    await page.fill("#filter-name", "费用")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody th")).to_have_text("资料/费用.md")


async def test_chosen_files_are_uploaded_and_the_same_bytes_again_are_no_work(
    shop: Server, open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    (path,) = written(tmp_path / "in", {"notes.md": FEES})
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator("tbody tr", has_text="notes.md").locator(".chip")).to_have_text("已生效")
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 1 个文件 · 1 个没有变化")
    path.write_text(FEES + "\n\n新增一条规定。", encoding="utf-8")
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator(".transfer-state", has_text="将成为第 2 版")).to_be_visible()


async def test_a_file_that_is_too_large_or_finds_no_network_says_so_and_can_be_sent_again(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{serve(max_upload_mb=1).url}/console")
    await create(page, "shop")
    big, small = written(tmp_path / "in", {"big.txt": b"x" * (1 << 20) + b"y", "small.md": FEES})
    await page.context.set_offline(True)
    await page.set_input_files("[data-input=files]", [big, small])
    await expect(page.locator(".transfer", has_text="big.txt")).to_contain_text("超过 1 MB 的上限")
    stranded = page.locator(".transfer", has_text="small.md")
    await expect(stranded).to_contain_text("连不上服务")
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 0 个文件 · 2 个没有上传成功")
    await page.context.set_offline(False)
    await stranded.get_by_role("button", name="重试：small.md").click()
    await expect(page.locator("tbody tr", has_text="small.md").locator(".chip")).to_have_text("已生效")
    await page.get_by_role("button", name="关闭").click()
    await expect(page.locator(".transfers")).to_be_hidden()


async def test_a_failed_document_is_retried_and_deleted_in_place(shop: Server, open_console: Open) -> None:
    shop.do(lambda services: take_in(services, "shop", "torn.pdf", b"%PDF-1.7\ntorn"))
    page = await open_console(f"{shop.url}/console/kb/shop?status=failed")
    shop.embedder.gate.clear()
    await page.get_by_role("button", name="重试 torn.pdf").click()
    await expect(page.locator(".nothing, tbody .chip.failed")).to_have_count(1)
    shop.embedder.gate.set()
    await expect(page.locator("tbody .chip")).to_have_text("失败")
    await page.get_by_role("button", name="删除 torn.pdf").click()
    await expect(page.locator("#confirm")).to_contain_text("删除“torn.pdf”？")
    await page.keyboard.press("Escape")
    await expect(page.locator("#confirm")).to_be_hidden()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("button", name="删除 torn.pdf").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tbody tr")).to_have_count(0)
    await expect(page.locator("#documents")).to_be_focused()
    await expect(page.locator(".segments")).to_contain_text("失败0", use_inner_text=False)


async def test_a_list_at_rest_shows_what_others_do(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop?status=failed")
    await expect(page.locator("tbody tr")).to_have_count(0)
    shop.do(lambda services: take_in(services, "shop", "torn.pdf", b"%PDF-1.7\ntorn"))
    await expect(page.locator("tbody tr", has_text="torn.pdf")).to_have_count(1)


async def test_a_document_can_be_deleted_while_the_list_is_being_refreshed(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()
    busy = {"name": "busy.md", "mimeType": "text/markdown", "buffer": b"# Busy"}
    await page.set_input_files("[data-input=files]", busy)
    await expect(page.locator("tbody tr[data-status=processing]")).to_have_count(1)
    async with page.expect_response("**/console/kb/shop?*"):
        pass
    await page.get_by_role("button", name="删除 规则/费用.md").click()
    await page.wait_for_timeout(2_500)
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tbody tr", has_text="费用.md")).to_have_count(0)
    shop.embedder.gate.set()
    await expect(page.locator("tbody tr", has_text="busy.md").locator(".chip")).to_have_text("已生效")


async def test_typing_a_filter_survives_the_refreshing_of_the_list(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()

    async def keep_busy(services: Services) -> None:
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await services.parts.versions.receive(base, "busy.md", content_hash="0" * 64, size=1)

    shop.do(keep_busy)
    await page.reload()
    await expect(page.locator("#documents[data-active]")).to_have_count(1)
    await page.locator("#filter-name").press_sequentially("退货 没有这个", delay=260)
    await expect(page.locator("#documents")).to_contain_text("没有符合条件的文档")
    await expect(page.locator("#filter-name")).to_have_value("退货 没有这个")
    await expect(page.locator("#filter-name")).to_be_focused()
    await page.fill("#filter-name", "退货")
    await expect(page.locator("tbody th")).to_have_text("规则/退货.md")
    await page.wait_for_url("**q=*")
    await page.reload()
    await expect(page.locator("#filter-name")).to_have_value("退货")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_a_list_that_loses_the_service_says_so_and_comes_back(shop: Server, open_console: Open) -> None:
    shop.embedder.gate.clear()
    page = await open_console(f"{shop.url}/console/kb/shop")
    await page.set_input_files(
        "[data-input=files]", {"name": "a.md", "mimeType": "text/markdown", "buffer": b"# A\n\nB"}
    )
    await expect(page.locator("tbody tr", has_text="a.md").locator(".chip")).to_have_text("处理中")
    await page.context.set_offline(True)
    await expect(page.locator("#toast")).to_have_text("连不上服务，正在重试…")
    await page.context.set_offline(False)
    shop.embedder.gate.set()
    await expect(page.locator("tbody tr", has_text="a.md").locator(".chip")).to_have_text("已生效")


# --- documents found ---


async def test_a_hit_leads_to_its_chunk_in_the_document(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    await page.get_by_role("link", name="检索测试").click()
    await page.fill("#q", "旗舰店的保证金是多少？")
    await page.keyboard.press("Enter")
    await expect(page.locator(".verdict")).to_contain_text("会回答")
    hit = page.locator(".hit").first
    await expect(hit.locator(".chunk-text mark").first).to_be_visible()
    await expect(hit.locator(".score")).to_have_count(3)
    text = await hit.locator(".chunk-text").inner_text()
    await hit.locator(".hit-name a").click()
    target = page.locator(".chunk.target")
    await expect(target.locator(".chunk-text")).to_have_text(text)
    await expect(target).to_be_in_viewport()
    await page.get_by_role("button", name="删除").click()
    await page.locator("#confirm-yes").click()
    await page.wait_for_url("**/console/kb/shop")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_a_document_under_way_becomes_live_before_the_readers_eyes(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()
    changed = {"name": "费用.md", "mimeType": "text/markdown", "buffer": FEES.replace("8%", "9%").encode()}
    await page.set_input_files("[data-input=files]", changed)
    await page.locator("tbody tr[data-status=processing] th a").click()
    await expect(page.locator(".document-status .chip")).to_have_text("处理中")
    await expect(page.get_by_role("button", name="重新处理")).to_have_count(0)
    await expect(page.locator(".chunks")).to_have_count(0)
    shop.embedder.gate.set()
    await expect(page.locator(".document-status .chip")).to_have_text("已生效")
    await expect(page.locator(".chunks")).to_contain_text("家居类目的佣金比例为 9%")
    await page.get_by_role("button", name="重新处理").click()
    await expect(page.locator(".facts")).to_contain_text("第 2 版")


async def test_hostile_names_and_texts_are_shown_and_do_nothing(shop: Server, open_console: Open) -> None:
    text = "<script>document.title='taken'</script>\n<img src=x onerror=document.title='taken'> 保证金"
    document = shop.do(lambda services: take_in(services, "shop", HOSTILE, text))
    page = await open_console(f"{shop.url}/console/kb/shop")
    await expect(page.locator("tbody th", has_text="onerror")).to_have_text(HOSTILE)
    await page.get_by_role("button", name=f"删除 {HOSTILE}").click()
    await expect(page.locator("#confirm-text")).to_contain_text(HOSTILE)
    for path in (f"documents/{document.id}", "kb/shop/search?q=%3Cimg+src%3Dx+onerror%3Ddocument.title%3D1%3E"):  # type: ignore[attr-defined]
        await page.goto(f"{shop.url}/console/{path}")
        await expect(page.locator(".chunk-text", has_text="onerror").first).to_be_visible()
        await page.wait_for_timeout(100)
        assert await page.title() not in ("taken", "1")


# --- knowledge bases and keys ---


async def test_a_knowledge_base_is_made_and_deleted_by_keyboard_alone(
    serve: Callable[..., Server], open_console: Open
) -> None:
    page = await open_console(f"{serve().url}/console")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_css("outline-style", "solid")
    await page.keyboard.press("Enter")
    await expect(page.locator("#create [name=name]")).to_be_focused()
    await page.keyboard.type("键盘")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#upload")
    await page.get_by_role("link", name="知识库").first.press("Enter")
    await page.wait_for_selector(".cards")
    await page.wait_for_load_state()
    await page.get_by_role("button", name="删除知识库 键盘").press("Enter")
    submit = page.get_by_role("button", name="永久删除")
    await expect(submit).to_be_disabled()
    await page.keyboard.type("键")
    await expect(submit).to_be_disabled()
    await page.keyboard.type("盘")
    await page.keyboard.press("Enter")
    await expect(page.locator(".note.good")).to_have_text("知识库已删除。")
    await expect(page.locator(".first-step")).to_be_visible()


async def test_a_key_is_copied_once_and_revoked(serve: Callable[..., Server], open_console: Open) -> None:
    server = serve()
    page = await open_console(f"{server.url}/console/keys")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_text("新建私密密钥").click()
    await page.fill("details[open] [name=name]", "订单系统")
    await page.get_by_text("读写：还能上传和删除").click()
    await page.get_by_role("button", name="创建密钥").click()
    await expect(page.locator(".made")).to_contain_text("只显示这一次")
    await page.get_by_role("button", name="复制").click()
    await expect(page.locator("#toast")).to_have_text("已复制")
    token = await page.evaluate("navigator.clipboard.readText()")
    principal = server.do(lambda services: services.keys.recognise(token, origin=None))
    assert principal.scope is Scope.WRITE  # type: ignore[attr-defined]
    await page.reload()
    assert token not in await page.content()
    await page.get_by_role("button", name="吊销密钥 订单系统").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tr[data-key] .chip")).to_have_text("已吊销")


async def test_signing_in_uploading_and_signing_out(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    server = serve(require_keys=True)
    _, token = server.do(lambda services: services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.WRITE))  # type: ignore[misc]
    page = await open_console(f"{server.url}/console")
    await page.wait_for_url("**/console/login?next=*")
    await page.fill("[name=key]", "sk_wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator(".problem")).to_have_text("密钥不正确，或已经吊销。")
    await page.fill("[name=key]", token)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console")
    assert token not in await page.evaluate("document.cookie")
    await create(page, "shop")
    await page.set_input_files("[data-input=files]", written(tmp_path / "in", {"费用.md": FEES}))
    await expect(page.locator("tbody .chip")).to_have_text("已生效")
    await page.get_by_role("button", name="退出登录").click()
    await page.wait_for_url("**/console/login")
    await page.goto(f"{server.url}/console/kb/shop")
    await page.wait_for_url("**/console/login?next=*")


async def test_a_link_on_another_site_opens_the_page_for_who_is_signed_in(
    serve: Callable[..., Server], open_console: Open
) -> None:
    server = serve(require_keys=True)
    _, token = server.do(lambda services: services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.ADMIN))  # type: ignore[misc]
    page = await open_console(f"{server.url}/console/login")
    await page.fill("[name=key]", token)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console")
    elsewhere = serve()
    await page.goto(elsewhere.url.replace("127.0.0.1", "localhost"))
    await page.evaluate("url => location.assign(url)", f"{server.url}/console/keys")
    await expect(page.locator("h1")).to_have_text("API 密钥")
    await expect(page).to_have_url(f"{server.url}/console/keys")


# --- appearance ---


async def test_language_and_appearance_are_chosen_once_for_console_and_chat(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console", locale="en-US")
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator("h1")).to_have_text("Knowledge bases")
    await expect(page.locator("body")).to_have_css("color-scheme", "dark")
    switch = page.locator("[data-theme-switch]")
    await switch.click()
    await expect(switch).to_have_attribute("aria-label", "Appearance: light")
    await expect(page.locator("body")).to_have_css("color-scheme", "light")
    await page.get_by_role("button", name="切换到中文").click()
    await expect(page.locator("h1")).to_have_text("知识库")
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.goto(shop.url)
    await page.wait_for_selector(".composer")
    await expect(page.locator(".composer textarea")).to_have_attribute("aria-label", "输入问题")
    await expect(page.locator(".root")).to_have_attribute("data-scheme", "light")


async def test_a_language_chosen_on_the_chat_page_is_the_consoles_too(shop: Server, open_console: Open) -> None:
    page = await open_console(shop.url)
    await page.wait_for_selector(".composer")
    await page.get_by_role("button", name="Switch to English").click()
    await page.goto(f"{shop.url}/console")
    await expect(page.locator("h1")).to_have_text("Knowledge bases")


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_no_page_is_wider_than_a_phone(serve: Callable[..., Server], open_console: Open, locale: str) -> None:
    server = serve()
    long = "超长文件名" * 12 + "A" * 80

    async def fill(services: Services) -> list[str]:
        base = "知识库" + "B" * 100
        document = await take_in(services, base, f"{long}/{long}.md", f"# {long}\n\n{'C' * 300} {FEES}")
        await take_in(services, base, f"{long}.pdf", b"%PDF-1.7\ntorn")
        await services.keys.publish(DEFAULT_TENANT, long[:100], origins=[f"https://{'d' * 60}.example"])
        pages = ["", f"/kb/{base}", f"/kb/{base}/search?q={long}保证金", f"/documents/{document.id}", "/keys", "/none"]
        return [f"/console{path}" for path in pages]

    page = await open_console("about:blank", phone=True, locale=locale)
    for path in server.do(fill):  # type: ignore[attr-defined]
        await page.goto(f"{server.url}{path}")
        assert await overflow(page) <= 0, path
    await page.goto(f"{server.url}/console")
    await page.locator("[data-open^=delete]").click()
    assert await overflow(page) <= 0


async def test_on_a_phone_files_are_chosen_by_a_button_large_enough_for_a_thumb(
    shop: Server, open_console: Open
) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop", phone=True)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="选择文件", exact=True).tap()
    assert (await chooser.value).is_multiple()
    for button in await page.locator("main button:visible, .tools button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 36
    row = page.locator("tbody tr").first
    await expect(row).to_have_css("display", "flex")
    await row.get_by_role("button").tap()
    await expect(page.locator("#confirm")).to_be_visible()
