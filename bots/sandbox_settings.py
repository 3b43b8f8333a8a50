"""Settings of a bot at a sandbox; light, because the process that supervises all others reads them too."""

import secrets
from collections.abc import Mapping

from pydantic import SecretStr

from app.settings import Settings
from knowledge.models import DEFAULT_TENANT

HOST = "127.0.0.1"
TEMPLATE_IDS: Mapping[str, str] = {"answer": "sandbox-answer.schema", "job": "sandbox-job.schema"}


def sandbox_settings(settings: Settings, *, public_url: str) -> Settings:
    """An app that nobody else knows, of this run only. ``public_url`` counts where none is set."""
    return settings.model_copy(
        update={
            "public_url": settings.public_url or public_url,
            "dingtalk_client_id": f"dingsandbox{secrets.token_hex(4)}",
            "dingtalk_client_secret": SecretStr(secrets.token_urlsafe(24)),
            "dingtalk_robot_code": None,
            "dingtalk_mode": "stream",
            "dingtalk_tenant": DEFAULT_TENANT,
            "dingtalk_corps": {},
            "dingtalk_robots": {},  # nothing goes to a real group from here
            "dingtalk_answer_template": TEMPLATE_IDS["answer"],
            "dingtalk_job_template": TEMPLATE_IDS["job"],
        }
    )
