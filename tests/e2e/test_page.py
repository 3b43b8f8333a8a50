"""The page of a real copilot, in a real browser, about the real samples."""

import pytest

from tests.browser.acts import answer, ask, in_widget
from tests.browser.conftest import NewPage
from tests.e2e.conftest import SampleCopilot

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_question_about_a_sample_document_is_answered_with_its_source(
    sample_copilot: SampleCopilot, new_page: NewPage
) -> None:
    page = await new_page(sample_copilot.url)
    await page.wait_for_selector(".composer")
    await ask(page, "首图最小尺寸是多少像素？")
    assert "800×800" in await answer(page).inner_text()
    sources = await page.locator(".turn:last-of-type .sources").inner_text()
    assert "商品图片规范.md" in sources
    await page.locator(".turn:last-of-type .md .chip").first.click()
    await page.wait_for_selector("mark")
    assert "800×800" in await page.locator("mark").first.inner_text()
    assert await in_widget(page, "document.documentElement.scrollWidth <= window.innerWidth")


async def test_the_console_shows_what_was_taken_in(sample_copilot: SampleCopilot, new_page: NewPage) -> None:
    page = await new_page(f"{sample_copilot.url}/console")
    await page.get_by_text("samples").first.click()
    await page.wait_for_selector("text=2026年收费标准.md")
