"""What processes of a channel say of themselves."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from app.channels.processes import GONE, ChannelProcesses
from app.channels.tables import channel_processes
from knowledge.database import now
from tests.products import product


async def test_a_process_is_shown_as_it_last_spoke_and_forgotten_when_it_is_silent(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        processes = ChannelProcesses(services.parts.database)
        await processes.say("dingtalk", "one", state="connected", reason="", since=now())
        await processes.say("dingtalk", "one", state="degraded", reason="closed_1001", since=now())
        await processes.say("dingtalk", "two", state="connected", reason="", since=now())
        assert {(each.process, each.reason) for each in await processes.now_running("dingtalk")} == {
            ("one", "closed_1001"),
            ("two", ""),
        }
        async with services.parts.database.write() as connection:
            long_ago = now() - GONE - timedelta(seconds=1)
            await connection.execute(update(channel_processes).filter_by(process="one").values(seen_at=long_ago))
        assert [each.process for each in await processes.now_running("dingtalk")] == ["two"]
        await processes.gone("dingtalk", "two")
        assert await processes.now_running("dingtalk") == []
