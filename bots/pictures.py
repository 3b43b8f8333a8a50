"""A job's pictures as a chat can show them: uploaded to the platform once, or by a link that needs no key."""

import logging
from collections.abc import Mapping
from typing import Literal

from app.jobs.artifacts import Artifacts
from app.jobs.models import Artifact, Job
from bots.ports import BudgetSpent, ChannelRefused, Messenger, Picture
from bots.trips import MAX_PICTURES, Trip

log = logging.getLogger(__name__)


class PictureDesk:
    """``images`` is what is tried first; ``public_url`` is where browsers reach the service, None where they don't."""

    def __init__(
        self, artifacts: Artifacts, *, images: Literal["media", "link"] = "media", public_url: str | None = None
    ) -> None:
        self._artifacts = artifacts
        self._images = images
        self._public_url = public_url.rstrip("/") if public_url else None

    async def shown(self, trip: Trip, messenger: Messenger) -> list[Picture]:
        """Pictures with links or media ids. What was uploaded before is not uploaded again; what can't be shown is left
        out. Raises Unavailable."""
        found = [await self._shown(trip, artifact, messenger) for artifact in trip.images[:MAX_PICTURES]]
        return [Picture(artifact.name, artifact.media_type, link=name) for artifact, name in found if name is not None]

    def link(self, artifact: Artifact) -> str | None:
        """Good for a week."""
        if self._public_url is None:
            return None
        return f"{self._public_url}/v1/artifacts/{artifact.id}?{self._artifacts.sign(artifact)}"

    def page(self, job: Job) -> str | None:
        """The job in the console, for operators."""
        return f"{self._public_url}/console/jobs/{job.id}" if self._public_url else None

    async def _shown(self, trip: Trip, artifact: Artifact, messenger: Messenger) -> tuple[Artifact, str | None]:
        known: Mapping[str, str] = trip.receipt.get("media", {})
        name = known.get(artifact.id) or (self.link(artifact) if self._images == "link" else None)
        if name is None and (name := await self._uploaded(artifact, messenger)):
            await trip.note(media={**known, artifact.id: name})
        return artifact, name or self.link(artifact)

    async def _uploaded(self, artifact: Artifact, messenger: Messenger) -> str | None:
        """None for what the channel does not take: it may be too large."""
        data = await self._artifacts.read(artifact)
        try:
            return await messenger.upload(Picture(artifact.name, artifact.media_type, data=data))
        except (ChannelRefused, BudgetSpent) as error:
            log.warning("picture not uploaded artifact=%s code=%s", artifact.id, error.error_code)
            return None
