"""The DingTalk that bots are tried against: see tests/dingtalk/conftest.py."""

from tests.dingtalk.conftest import bot, gateway, group

__all__ = ["bot", "gateway", "group"]
