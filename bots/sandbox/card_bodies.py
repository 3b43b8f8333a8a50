"""What the card APIs are called with, and what a click is answered with. [D] Values are strings, all of them."""

from typing import Literal

from pydantic import Field

from bots.sandbox.wire import Body


class CardData(Body):
    card_param_map: dict[str, str] = Field(default_factory=dict)


class UpdateOptions(Body):
    update_card_data_by_key: bool = False
    update_private_data_by_key: bool = False


class GroupDeliver(Body):
    robot_code: str
    at_user_ids: dict[str, str] = Field(default_factory=dict)


class RobotDeliver(Body):
    space_type: Literal["IM_ROBOT"]


class Create(Body):
    card_template_id: str
    out_track_id: str = Field(min_length=1)
    card_data: CardData
    private_data: dict[str, CardData] = Field(default_factory=dict)
    callback_type: Literal["STREAM", "HTTP"] | None = None
    callback_route_key: str | None = None


class Deliver(Body):
    out_track_id: str = Field(min_length=1)
    open_space_id: str
    user_id_type: Literal[1, 2] = 1
    im_group_open_deliver_model: GroupDeliver | None = None
    im_robot_open_deliver_model: RobotDeliver | None = None


class Update(Body):
    out_track_id: str
    card_data: CardData | None = None
    private_data: dict[str, CardData] = Field(default_factory=dict)
    card_update_options: UpdateOptions = UpdateOptions()


class Stream(Body):
    out_track_id: str
    guid: str = ""
    key: str = ""
    content: str = ""
    is_full: bool = False
    is_finalize: bool = False
    is_error: bool = False


class CallbackAnswer(Body):
    """What a click is answered with."""

    card_update_options: UpdateOptions = UpdateOptions()
    card_data: CardData | None = None
    user_private_data: CardData | None = None
