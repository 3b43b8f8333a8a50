"""The bot without a stream: messages and clicks by HTTP, results by a group's custom robot."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.channel_settings import RobotAddress
from app.jobs.models import Channel
from app.jobs.ports import NewArtifact
from app.jobs.runner import JobRunner
from app.jobs.service import Wanted
from app.processes.ports import any_free_port
from bots.dingtalk.callbacks import MESSAGES
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.wiring import running_bot
from knowledge.errors import InvalidInput
from tests.bots.house import TypingModel, bot_of, ended_cards, take_in_returns, user
from tests.bots.pictures import PHOTO, WhiteBackground
from tests.products import settings_for

SECRET = "SECofTests"


async def test_messages_and_clicks_come_by_signed_requests(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    port = any_free_port()
    url = f"http://127.0.0.1:{port}"
    by_http = {"dingtalk_mode": "http", "dingtalk_callback_url": url, "dingtalk_callback_port": port}
    async with bot_of(gateway, tmp_path, model=TypingModel(), **by_http) as house:
        await take_in_returns(house)
        gateway.callbacks.message_url = url + MESSAGES
        push = await gateway.push_bot(group, user(gateway, "u1"), "退货期限是几天？")
        assert push.ack_code == 200
        await gateway.wait_for(lambda: any(card.values["show_feedback"] == "true" for card in ended_cards(house)))
        (card,) = ended_cards(house)
        assert "7 天" in card.content
        await gateway.push_card_action(card.id, user(gateway, "u1"), "helpful")
        await gateway.wait_for(lambda: "谢谢" in card.values["rated"])


async def test_a_result_is_brought_by_a_custom_robot(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    robots = {"运营": RobotAddress(url=SecretStr(gateway.add_robot(group, SECRET)), secret=SecretStr(SECRET))}
    settings = {"dingtalk_robots": robots, "public_url": "https://copilot.example"}
    async with bot_of(gateway, tmp_path, handlers=[WhiteBackground()], **settings) as house:
        jobs = house.services.jobs
        picture = await jobs.artifacts.upload("default", NewArtifact(PHOTO, "image/png", "杯子.png"))
        channel = Channel("dingtalk-robot", {"robot": "运营"})
        await jobs.submit(Wanted("default", "white_background", {"image": picture.id}, channel=channel))
        await JobRunner(jobs, "worker").drain("image")
        await gateway.wait_for(lambda: gateway.messages, 30)
        (message,) = gateway.messages
        assert message.way == "robot"
        assert "白底图" in message.text
        assert "https://copilot.example/v1/artifacts/" in message.text


async def test_without_an_app_the_bot_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="dingtalk-sandbox"):
        async with running_bot(settings_for(tmp_path)):
            pass
