"""The DingTalk app: whether its settings fit together, and whether DingTalk knows it."""

import json
import re

import httpx

from app.doctor.reaching import PATIENCE, reason
from app.doctor.report import Finding
from app.doctor.sources import without_password
from app.settings import Settings

_SPEAKABLE = re.compile(r"[\w.\-]{1,80}", re.ASCII)


async def dingtalk(settings: Settings) -> list[Finding]:
    if not settings.dingtalk_client_id and not settings.dingtalk_client_secret:
        return [Finding("note", "dingtalk_none")]
    if not settings.dingtalk_app:
        return [Finding("warning", "dingtalk_half")]  # right where only the bot's machine is told the secret
    return [_whom(settings), *_mode(settings), *_cards(settings), *_links(settings), await _known(settings)]


def _whom(settings: Settings) -> Finding:
    corps = settings.dingtalk_corps
    if corps:
        pairs = ", ".join(f"{corp} → {tenant}" for corp, tenant in corps.items())
        return Finding("ok", "dingtalk_corps", {"pairs": pairs})
    return Finding("ok", "dingtalk_tenant", {"tenant": settings.dingtalk_tenant})


def _mode(settings: Settings) -> list[Finding]:
    if settings.dingtalk_mode == "stream":
        return [Finding("ok", "dingtalk_stream")]
    url = settings.dingtalk_callback_url
    if not url:
        return [Finding("error", "dingtalk_no_callback")]
    return [Finding("ok", "dingtalk_http", {"url": without_password(url), "port": settings.dingtalk_callback_port})]


def _cards(settings: Settings) -> list[Finding]:
    if settings.dingtalk_answer_template and settings.dingtalk_job_template:
        return [Finding("ok", "dingtalk_templates")]
    both = not settings.dingtalk_answer_template and not settings.dingtalk_job_template
    missing = "dingtalk_answer_template" if settings.dingtalk_job_template else "dingtalk_job_template"
    code = "dingtalk_templates_none" if both else "dingtalk_template_missing"
    return [Finding("note", code, {"variable": f"COPILOT_{missing.upper()}"})]


def _links(settings: Settings) -> list[Finding]:
    if settings.public_url:
        return [Finding("ok", "dingtalk_links", {"url": without_password(settings.public_url)})]
    if settings.dingtalk_images == "link":
        return [Finding("warning", "dingtalk_images_no_url")]
    return [Finding("note", "dingtalk_no_url")]


async def _known(settings: Settings) -> Finding:
    """Asks for a token as the bot does, without any proxy; that costs no call of the month."""
    url = settings.dingtalk_openapi_url.rstrip("/")
    secret = settings.dingtalk_client_secret
    app = {"appKey": settings.dingtalk_client_id, "appSecret": secret.get_secret_value() if secret else ""}
    shown = without_password(url)
    try:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            answer = await http.post(f"{url}/v1.0/oauth2/accessToken", json=app)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return Finding("error", "dingtalk_unreachable", {"url": shown, "reason": reason(exc)})
    token, code = _said(answer)
    if answer.is_success and token:
        return Finding("ok", "dingtalk_known", {"url": shown})
    if 400 <= answer.status_code < 500 and answer.status_code != 429 and code:
        return Finding("error", "dingtalk_refused", {"code": code})
    return Finding("error", "dingtalk_failing", {"url": shown, "status": answer.status_code})


def _said(answer: httpx.Response) -> tuple[bool, str]:
    """Whether there is a token in an answer, and DingTalk's code of what is wrong."""
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return False, ""
    if not isinstance(body, dict):
        return False, ""
    code = str(body.get("code") or "")
    return bool(body.get("accessToken")), code if _SPEAKABLE.fullmatch(code) else ""
