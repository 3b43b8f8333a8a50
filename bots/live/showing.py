"""Steps that show something in the chat, and have it looked at."""

import asyncio
import io
import uuid
from collections.abc import Mapping
from typing import Any

from PIL import Image

from bots.dingtalk import cards, frames
from bots.live.scene import Scene
from bots.ports import Card, Picture

LOOKS = ("heading", "bold", "list", "numbers", "quote", "link", "code", "table", "blank_line", "picture", "mention")
TOO_LONG = 3200  # code points; above 3000 cards are said to be blank


async def upload(scene: Scene) -> None:
    """Whose token the older API takes."""
    drawn = io.BytesIO()
    Image.new("RGB", (120, 80), "#1677ff").save(drawn, "PNG")
    scene.media_id = await scene.messenger.upload(Picture("live.png", "image/png", drawn.getvalue()))
    scene.saw("upload.old_token" if scene.client.uploads_with_old_token else "upload.new_token")


async def markdown(scene: Scene) -> None:
    """What a client makes of the Markdown that we send."""
    sample = scene.text("markdown.sample", picture=scene.media_id or "")
    sent = await scene.messenger.say(scene.place, sample, title=scene.text("markdown.title"), mention=True)
    scene.saw("markdown.sent", way=sent.way, messages=sent.messages)
    await scene.look([f"markdown.look.{name}" for name in LOOKS])


async def answer_card(scene: Scene) -> None:
    """The template's variables and buttons, frames, and a click."""
    if "answer" not in scene.messenger.templates:
        scene.saw("card.no_template", variable="COPILOT_DINGTALK_ANSWER_TEMPLATE")
        return
    card_id = await _opened(scene, "answer", cards.answer_opening(scene.language))
    for part in ("card.first", "card.second"):
        await scene.messenger.frame(card_id, scene.text(part))
        await asyncio.sleep(scene.waits.frame)
    await scene.messenger.frame(card_id, scene.text("card.whole"), final=True)
    await scene.messenger.update_card(card_id, cards.answer_closing(scene.language, "done", ()), final=True)
    scene.card_id = card_id
    scene.saw("card.taken")
    await scene.look(("card.look.grew", "card.look.buttons", "card.look.preview"))
    await _clicked(scene, card_id)


async def after_end(scene: Scene) -> None:
    """A frame after the last one."""
    if scene.card_id is None:
        scene.saw("card.none")
        return
    await scene.messenger.frame(scene.card_id, scene.text("after_end.text"))
    scene.saw("after_end.taken")
    await scene.look(("after_end.look",))


async def long_card(scene: Scene) -> None:
    """A text that is accepted and, it is said, shown as nothing."""
    if "answer" not in scene.messenger.templates:
        scene.saw("card.no_template", variable="COPILOT_DINGTALK_ANSWER_TEMPLATE")
        return
    card_id = await _opened(scene, "answer", cards.answer_opening(scene.language, whole=True))
    line = scene.text("long_card.line")
    text = (line * (TOO_LONG // len(line) + 1))[:TOO_LONG]
    await scene.messenger.frame(card_id, text, final=True)
    scene.saw("long_card.taken", points=TOO_LONG)
    await scene.look(("long_card.look",))


async def job_card(scene: Scene) -> None:
    """The other template, with a picture by its media id."""
    if "job" not in scene.messenger.templates:
        scene.saw("card.no_template", variable="COPILOT_DINGTALK_JOB_TEMPLATE")
        return
    title, language = scene.text("job_card.title"), scene.language
    card_id = await _opened(scene, "job", cards.job_opening(language, title=title, status=title))
    await scene.messenger.update_card(card_id, cards.job_progress(language, 40, "matting"))
    pictures = [scene.media_id] if scene.media_id else []
    ended = cards.job_ended(language, "succeeded", title=title, status=title, pictures=pictures)
    await scene.messenger.update_card(card_id, ended, final=True)
    scene.saw("card.taken")
    await scene.look(("job_card.look",))


async def safety(scene: Scene) -> None:
    """What is said of content that the platform does not want; only a person can choose such a text."""
    text = await scene.person.ask("safety.ask", scene.text("safety.ask"))
    if text:
        await scene.messenger.say(scene.place, text)
        scene.saw("safety.sent")


async def _opened(scene: Scene, template: Any, values: Mapping[str, str]) -> str:
    card_id = f"live-{uuid.uuid4().hex}"
    preview = scene.text("card.preview")
    await scene.messenger.open_card(scene.place, Card(card_id, template, values, preview=preview))
    return card_id


async def _clicked(scene: Scene, card_id: str) -> None:
    """Where a callback has its ids and parameters differs by template."""
    scene.line.thanks = cards.answer_rated(scene.language, "up")
    before = len(scene.line.heard)
    await scene.tell("card.click")
    heard = await scene.line.first(
        lambda one: one.frame.topic == frames.CLICKS, seconds=scene.waits.click, after=before
    )
    if heard is None:
        scene.saw("card.no_click", seconds=round(scene.waits.click))
        return
    data = heard.frame.data or {}
    scene.saw("card.clicked", names=", ".join(sorted(data)), content=str(data.get("content", ""))[:200])
    scene.saw("card.own" if data.get("outTrackId") == card_id else "card.other")
    await scene.look(("card.look.thanks",))
