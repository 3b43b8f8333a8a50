"""Steps about how much may be called. The one costs calls, the other none."""

import asyncio
from collections import Counter

from bots.dingtalk import cards
from bots.dingtalk.errors import Throttled
from bots.live.scene import Scene
from knowledge.errors import CopilotError

BURSTS = (10, 20, 30, 40)  # calls at once; the step ends with the first burst of which some are refused
BETWEEN_SECONDS = 3.0


async def rate(scene: Scene) -> None:
    """How many calls of one API at once are taken. Past our governor, which would not let them through."""
    if scene.card_id is None:
        scene.saw("card.none")
        return
    for calls in BURSTS:
        said = Counter(await asyncio.gather(*(_one(scene, scene.card_id) for _ in range(calls))))
        await scene.governor.count("card_update", calls=calls)
        scene.saw("rate.burst", calls=calls, taken=said["taken"], throttled=said["throttled"], other=said["other"])
        if said["taken"] < calls:
            return
        await asyncio.sleep(BETWEEN_SECONDS)


async def month(scene: Scene) -> None:
    """What this run has called by our count, beside what DingTalk's console shows."""
    used = {each.api: each.calls for each in scene.governor.counted()}
    scene.saw("month.ours", calls=", ".join(f"{api} {calls}" for api, calls in used.items()) or "–")
    shown = await scene.person.ask("month.ask", scene.text("month.ask"))
    scene.saw("month.theirs", shown=shown or "–")


async def _one(scene: Scene, card_id: str) -> str:
    try:
        await scene.client.update_card(card_id, cards.answer_rated(scene.language, "up"))
    except Throttled:
        return "throttled"
    except CopilotError:
        return "other"
    return "taken"
