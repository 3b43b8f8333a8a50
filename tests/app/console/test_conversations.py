"""The console lists conversations, shows one, and deletes it once that is confirmed."""

from pathlib import Path

from tests.app.console.chats import answered
from tests.app.console.visits import HOSTILE, one, see, served, words


async def test_without_conversations_the_page_says_where_to_begin(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        page = await see(http, "/console/conversations")
        assert "还没有对话" in words(page)
        assert page.css("table") == []


async def test_the_list_leads_to_one_with_its_turns_and_deleting_asks_first(tmp_path: Path) -> None:
    async with served(tmp_path, history_days=30) as (http, services):
        turn = await answered(services, f"**50000** 元 {HOSTILE}", f"保证金多少？{HOSTILE}")
        listed = await see(http, "/console/conversations")
        assert "30 天" in words(listed)
        assert "保证金多少？" in words(listed, "tbody")
        assert {each.attributes["href"] for each in listed.css("a[download]")} == {
            "/v1/conversations/export?format=csv",
            "/v1/conversations/export?format=jsonl",
        }
        address = one(listed, "tbody a").attributes["href"] or ""
        page = await see(http, address)
        assert one(page, ".prose strong").text() == "50000"
        assert page.css("main script, main img") == []
        form = one(page, "form[data-confirm]")
        gone = await http.post(form.attributes["action"] or "", follow_redirects=True)
        assert gone.status_code == 200
        assert "对话已删除" in gone.text
        await see(http, address, status=404)
        assert turn.conversation_id not in gone.text
