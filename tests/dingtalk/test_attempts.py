"""Calls that are made again, and what is said of them when all was in vain."""

import pytest

from bots.dingtalk import errors
from bots.dingtalk.attempts import Attempts, Patience
from bots.dingtalk.governor import MemoryGovernor
from bots.ports import ChannelRefused
from knowledge.errors import CopilotError, Unavailable

HURRIED = Patience(first_s=0.001, tries=3)


async def _failing(purpose: str, *failures: CopilotError) -> CopilotError:
    """What is raised in the end."""
    left = list(failures)

    async def call() -> None:
        raise left.pop(0)

    attempts = Attempts(MemoryGovernor(), HURRIED)
    with pytest.raises(CopilotError) as raised:
        await attempts.make("card_create", purpose, call, repeatable=True)  # type: ignore[arg-type]
    return raised.value


@pytest.mark.parametrize("last", [errors.unreachable(), ChannelRefused("No.", code="permission_missing")])
async def test_a_card_that_an_earlier_attempt_may_have_opened_is_in_doubt_whatever_the_last_one_gave(
    last: CopilotError,
) -> None:
    raised = await _failing("open", errors.unknown(), errors.unreachable(), last)
    assert raised.error_code == "delivery_unknown"


async def test_a_card_that_exists_is_no_doubt() -> None:
    exists = errors.CardExists("There is one.")
    assert await _failing("open", errors.unknown(), exists) is exists


async def test_of_other_calls_the_last_failure_is_told() -> None:
    refused = ChannelRefused("Gone.", code="download_expired")
    assert await _failing("other", errors.unknown(), refused) is refused
    assert isinstance(await _failing("other", *[errors.unreachable()] * 3), Unavailable)
