"""What people do on the pages, in the words of the tests."""

from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page

ANSWERED = (
    ".turn:last-of-type:is([data-state=done], [data-state=stopped], [data-state=failed], [data-state=interrupted])"
)


async def ask(page: Page, question: str, *, wait: bool = True) -> None:
    """Writes a question, presses Enter, and waits until its turn is over."""
    turns = await page.locator(".turn").count()
    await page.fill(".composer textarea", question)
    await page.press(".composer textarea", "Enter")
    await page.locator(".turn").nth(turns).wait_for()
    if wait:
        await ended(page)


async def ended(page: Page) -> None:
    """Waits until the last turn is over, however it went."""
    await page.wait_for_selector(ANSWERED)


def answer(page: Page) -> Locator:
    """The text of the last answer."""
    return page.locator(".turn:last-of-type .md")


async def shown(page: Page, selector: str) -> str:
    """The visible text of the first match, without the white space around it."""
    return (await page.locator(selector).first.inner_text()).strip()


async def becomes(page: Page, script: str, wanted: Any) -> None:
    """Waits up to 20 s until an expression of ``root`` is ``wanted``."""
    value = None
    for _ in range(400):
        value = await in_widget(page, script)
        if value == wanted:
            return
        await page.wait_for_timeout(50)
    assert value == wanted


async def in_widget(page: Page, script: str) -> Any:
    """Evaluates an expression of ``root``, the widget's shadow root."""
    return await page.evaluate(
        f"(() => {{ const root = document.querySelector('merchant-copilot').shadowRoot; return {script}; }})()"
    )


async def overflow(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


async def create(page: Page, name: str) -> None:
    """Makes a knowledge base on the console's first page."""
    await page.click("[data-open=create]")
    await page.fill("#create [name=name]", name)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#upload")


def written(folder: Path, files: dict[str, bytes | str]) -> list[Path]:
    """Makes files; → their paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]
