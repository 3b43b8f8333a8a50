"""Settings of the channels that results are brought to. Only ``copilot bot`` needs the secrets among them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from knowledge.settings import KnowledgeSettings


class RobotAddress(BaseModel):
    """A custom robot of a group: its webhook URL, and its signing secret (``SEC…``) if it has one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr
    secret: SecretStr | None = None


class ChannelSettings(KnowledgeSettings):
    """One object for a process; see :class:`knowledge.settings.KnowledgeSettings`."""

    public_url: str | None = Field(
        None, description="Where browsers reach this service, for links in chats: `https://copilot.example`."
    )
    dingtalk_client_id: str | None = Field(None, description="Client id (AppKey) of the DingTalk app; starts the bot.")
    dingtalk_client_secret: SecretStr | None = Field(None, description="Its secret (AppSecret).")
    dingtalk_robot_code: str | None = Field(None, description="Robot code, where it is not the client id.")
    dingtalk_mode: Literal["stream", "http"] = Field(
        "stream", description="How messages come: over a connection of ours, or to a public URL (`http`)."
    )
    dingtalk_callback_port: int = Field(8010, ge=0, le=65535, description="Port of the bot's own server, for `http`.")
    dingtalk_callback_url: str | None = Field(
        None, description="Public URL of that port, without a path: clicks on cards are sent there."
    )
    dingtalk_tenant: str = Field("default", description="Tenant of the app's organisation.")
    dingtalk_corps: dict[str, str] = Field(
        {}, description="JSON, corp id → tenant, for an app in several organisations; others are then refused."
    )
    dingtalk_staff_role: Literal["viewer", "operator"] = Field(
        "viewer", description="Role of staff who were given none."
    )
    dingtalk_answer_template: str | None = Field(
        None, description="Id of the answer card's template; empty: answers are Markdown messages."
    )
    dingtalk_job_template: str | None = Field(None, description="Id of the job card's template; empty: Markdown.")
    dingtalk_streaming: bool = Field(True, description="Let answer cards grow while they are written.")
    dingtalk_frame_ms: int = Field(800, ge=200, le=10_000, description="Milliseconds between two frames of a card.")
    dingtalk_qps: int = Field(20, ge=2, description="Calls a second that DingTalk allows for an app and API.")
    dingtalk_monthly_calls: int = Field(5000, ge=0, description="API calls that the organisation has a month.")
    dingtalk_monthly_messages: int = Field(3000, ge=0, description="Webhook and stream messages it has a month.")
    dingtalk_soft_limit: float = Field(
        0.8, gt=0, le=1, description="Share of the month's calls after which answers are not streamed any more."
    )
    dingtalk_images: Literal["media", "link"] = Field(
        "media", description="Pictures are uploaded to DingTalk, or linked (needs the public URL)."
    )
    dingtalk_robots: dict[str, RobotAddress] = Field(
        {}, description="JSON, name → `{url, secret}`: custom robots that results can be brought to."
    )
    dingtalk_openapi_url: str = Field("https://api.dingtalk.com", description="DingTalk's API.")
    dingtalk_oapi_url: str = Field("https://oapi.dingtalk.com", description="Its older one, for uploads.")

    @property
    def dingtalk_app(self) -> bool:
        """Whether there is an app that a bot can be."""
        return bool(self.dingtalk_client_id and self.dingtalk_client_secret)
