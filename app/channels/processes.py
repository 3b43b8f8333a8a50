"""Processes of a channel: who is connected, and who is not and why. Each says it of itself every few seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.channels.tables import channel_processes
from knowledge.database import Database, now

SAY_SECONDS = 5.0
GONE = timedelta(seconds=30)  # a process that has said nothing for so long is taken for dead


@dataclass(frozen=True, slots=True)
class ChannelProcess:
    """``state`` is starting, connected, degraded or stopped; ``reason`` is a code, empty while all is well."""

    process: str
    state: str
    reason: str
    since: datetime
    seen_at: datetime


class ChannelProcesses:
    """Rows of ``channel_processes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def say(self, channel: str, process: str, *, state: str, reason: str, since: datetime) -> None:
        """This process stands so now. Those that are long gone are forgotten."""
        key = {"channel": channel, "process": process}
        values: dict[str, Any] = {"state": state, "reason": reason[:64], "since": since, "seen_at": now()}
        old = (channel_processes.c.channel == channel) & (channel_processes.c.seen_at < now() - GONE)
        async with self._database.write() as connection:
            said = await connection.execute(update(channel_processes).filter_by(**key).values(**values))
            if said.rowcount == 0:
                await connection.execute(insert(channel_processes).values(**key, **values))
            await connection.execute(delete(channel_processes).where(old))

    async def gone(self, channel: str, process: str) -> None:
        """This process ends."""
        async with self._database.write() as connection:
            await connection.execute(delete(channel_processes).filter_by(channel=channel, process=process))

    async def now_running(self, channel: str) -> list[ChannelProcess]:
        """Those that spoke lately."""
        query = select(channel_processes).filter_by(channel=channel)
        async with self._database.read() as connection:
            rows = await connection.execute(query.where(channel_processes.c.seen_at >= now() - GONE))
            return [ChannelProcess(row.process, row.state, row.reason, row.since, row.seen_at) for row in rows]
