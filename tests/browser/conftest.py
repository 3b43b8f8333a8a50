"""A real Chromium, a double of the service, and a page that must not throw."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from app.wiring import Services
from tests.browser.console_service import Server
from tests.browser.mock_api import MockApi, Step
from tests.browser.stories import ANSWER, answering
from tests.products import FEES, RETURNS, take_in

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

# How long a busy machine may take; a test that passes waits for none of it.
PATIENCE_MS = 45_000
expect.set_options(timeout=PATIENCE_MS)

NewPage = Callable[..., Awaitable[Page]]
Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """The system's Chromium, headless; one for all browser tests."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium fonts-noto-cjk")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        await browser.close()


@pytest.fixture
def api() -> Generator[MockApi]:
    """The service's double; it answers every question with the story about returns until told otherwise."""

    def answer(_question: str) -> Sequence[Step]:
        return answering(ANSWER)

    double = MockApi(answer=answer).start()
    yield double
    double.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(chromium: Browser) -> AsyncGenerator[NewPage]:
    """Opens pages, each in a profile of its own; an uncaught error on any of them fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    async def open_page(url: str, *, phone: bool = False, locale: str = "zh-CN") -> Page:
        context = await chromium.new_context(
            viewport=PHONE if phone else DESKTOP,
            is_mobile=phone,
            has_touch=phone,
            locale=locale,
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(url)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert errors == []


@pytest_asyncio.fixture(loop_scope="session")
async def chat(api: MockApi, new_page: NewPage) -> Page:
    """The chat page on a desktop, in Chinese."""
    page = await new_page(api.url)
    await page.wait_for_selector(".composer")
    return page


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


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path) -> AsyncGenerator[Callable[..., Server]]:
    """Starts services with the console, each in a folder of its own, and stops them."""
    servers: list[Server] = []

    def start(**overrides: object) -> Server:
        servers.append(Server(tmp_path / f"data{len(servers)}", overrides).start())
        return servers[-1]

    yield start
    for server in servers:
        await asyncio.to_thread(server.close)


@pytest.fixture
def shop(serve: Callable[..., Server]) -> Server:
    """A service with a knowledge base “shop” that holds two documents."""
    server = serve()

    async def fill(services: Services) -> None:
        await take_in(services, "shop", "规则/费用.md", FEES)
        await take_in(services, "shop", "规则/退货.md", RETURNS)

    server.do(fill)
    return server
