"""Links to the page of one whole answer, for chats that show a part of it."""

from datetime import timedelta

from app.jobs.signing import Signer

LASTING = timedelta(days=30)  # people scroll back in a chat


def answer_link(public_url: str, turn_id: str, *, signer: Signer, lasting: timedelta = LASTING) -> str:
    """A link that needs no key. ``public_url`` is where browsers reach the service, with or without a path."""
    query = signer.query(signed_name(turn_id), lasting=lasting)
    return f"{public_url.rstrip('/')}/a/{turn_id}?{query}"


def signed_name(turn_id: str) -> str:
    """What is signed. Links to files are signed by their id alone, so neither can be made of the other."""
    return f"answer/{turn_id}"
