"""What DingTalk answers, as far as anything depends on it."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from bots.dingtalk import errors


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Opened(_Answer):
    endpoint: str
    ticket: str


# What can stand in a header: else each call would fail with an error that shows it.
_Secret = Annotated[str, Field(pattern=r"^[!-~]+$", repr=False)]


class Token(_Answer):
    access_token: _Secret
    expire_in: float


class Sent(_Answer):
    process_query_key: str | None = None
    invalid_staff_id_list: list[str] | None = None
    flow_controlled_staff_id_list: list[str] | None = None


class Link(_Answer):
    download_url: str


class _Delivery(_Answer):
    success: bool


class _Deliveries(_Answer):
    deliver_results: list[_Delivery] | None = None


class Created(_Answer):
    result: _Deliveries

    @property
    def delivered(self) -> bool:
        """To every space that it was to go to."""
        results = self.result.deliver_results
        return bool(results) and all(result.success for result in results or ())


class SaidOk(BaseModel):
    """Of the older API, which has no camels."""

    errcode: int


class OldToken(BaseModel):
    access_token: _Secret
    expires_in: float


class Uploaded(BaseModel):
    media_id: str


Model = TypeVar("Model", bound=BaseModel)


def parsed(model: type[Model], answer: Mapping[str, Any]) -> Model:
    """The answer as it was promised; another one says nothing about what was done. Raises DeliveryUnknown."""
    try:
        return model.model_validate(answer)
    except ValidationError:
        raise errors.unknown() from None
