"""Where results can be brought at the wish of whoever asks for a job over the API. The bot's process brings them."""

from app.channel_settings import ChannelSettings
from app.channels.groups import Groups
from app.jobs.models import Channel
from knowledge.errors import InvalidInput

CHAT = "dingtalk"
ROBOT = "dingtalk-robot"


def to_robot(settings: ChannelSettings, tenant: str, robot: str) -> Channel:
    """A custom robot of the settings; they belong to the app's own tenant. Raises InvalidInput ``robot_unknown``."""
    if tenant != settings.dingtalk_tenant or robot not in settings.dingtalk_robots:
        raise InvalidInput(
            f"There is no custom robot “{robot}”. They are set in COPILOT_DINGTALK_ROBOTS.", code="robot_unknown"
        )
    return Channel(ROBOT, {"robot": robot})


async def to_group(groups: Groups, tenant: str, conversation: str) -> Channel:
    """A group that the bot has been written to in. Raises NotFound ``group_not_found``."""
    group = await groups.get(tenant, CHAT, conversation)
    return Channel(CHAT, {"kind": "group", "conversation": group.group_id, "organisation": group.organisation})
