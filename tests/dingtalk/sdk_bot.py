"""A bot on the official SDK, as it is: run as a process of its own, since the SDK reads its endpoint when imported."""

import asyncio
import sys

import dingtalk_stream
import requests
from dingtalk_stream import AckMessage, AICardReplier, CallbackMessage, ChatbotMessage

ANSWER = "382e4302-551d-4880-bf29-a30acfab2e71.schema"


class Messages(dingtalk_stream.ChatbotHandler):
    """Does what the text says."""

    async def process(self, callback: CallbackMessage) -> tuple[int, str]:
        message = ChatbotMessage.from_dict(callback.data)
        texts = message.get_text_list() or [""]
        acts = {"card": self._card, "helper": self._helper, "webhook": self._webhook, "": self._picture}
        await asyncio.to_thread(acts[texts[0].strip()], message)
        return AckMessage.STATUS_OK, "OK"

    def _webhook(self, message: ChatbotMessage) -> None:
        self.reply_markdown("标题", "**粗**体", message)

    def _card(self, message: ChatbotMessage) -> None:
        card = AICardReplier(self.dingtalk_client, message)
        name = card.start(ANSWER, {"msgContent": ""})
        for text, final in (("七天", False), ("七天无理由", False), ("七天无理由退货。", True)):
            card.streaming(name, "msgContent", text, append=False, finished=final, failed=False)

    def _helper(self, message: ChatbotMessage) -> None:
        card = self.ai_markdown_card_start(message, "标题")
        card.ai_streaming("七天")
        card.ai_finish("七天无理由退货。")

    def _picture(self, message: ChatbotMessage) -> None:
        url = self.get_image_download_url(message.get_image_list()[0])
        self.reply_text(f"{len(requests.get(url, timeout=5).content)} bytes", message)


class Clicks(dingtalk_stream.CallbackHandler):
    async def process(self, callback: CallbackMessage) -> tuple[int, dict[str, object]]:
        seen = {"msgTitle": f"{callback.data['userId']} 点过"}
        return 200, {"cardUpdateOptions": {"updateCardDataByKey": True}, "cardData": {"cardParamMap": seen}}


class Events(dingtalk_stream.EventHandler):
    async def process(self, event: dingtalk_stream.EventMessage) -> tuple[int, str]:
        return AckMessage.STATUS_OK, "OK"


def main(client_id: str, secret: str) -> None:
    client = dingtalk_stream.DingTalkStreamClient(dingtalk_stream.Credential(client_id, secret))
    client.register_callback_handler(ChatbotMessage.TOPIC, Messages())
    client.register_callback_handler(Clicks.TOPIC_CARD_CALLBACK, Clicks())
    client.register_all_event_handler(Events())
    client.start_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
