"""Pictures that travel inside of a request, as ``data:image/png;base64,…``."""

import base64
import binascii
import re

from app.api.artifacts import picture_type
from app.identity.keys import Principal, Scope
from app.jobs.artifacts import Artifacts
from app.jobs.ports import NewArtifact
from knowledge.errors import InvalidInput

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64", re.ASCII)


async def keep_picture(artifacts: Artifacts, who: Principal, url: str, *, param: str) -> str:
    """The id that a picture is kept under. Who may have work done may send pictures, as by ``POST /v1/artifacts``.

    Raises Forbidden ``scope_missing``, InvalidInput ``picture_url_unsupported`` or ``unsupported``.
    """
    who.require(Scope.WRITE)
    data = _bytes_of(url, param)
    new = NewArtifact(data, picture_type(data), "picture", {"uploaded": True})
    return (await artifacts.upload(who.tenant, new)).id


def is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:"


def _bytes_of(url: str, param: str) -> bytes:
    head, _, encoded = url.partition(",")
    try:
        return base64.b64decode(encoded if _DATA_URL.fullmatch(head) else "?", validate=True)
    except (ValueError, binascii.Error):
        raise InvalidInput(
            "Send a picture as a data URL (data:image/png;base64,…); other addresses are not fetched.",
            code="picture_url_unsupported",
            param=param,
        ) from None
