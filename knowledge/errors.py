"""Everything that can go wrong, as codes that stay the same and sentences for a person.

CopilotError
├── NotFound             knowledge_base_not_found, document_not_found, …
├── Conflict             knowledge_base_exists, …
├── InvalidInput         question_empty, name_invalid, …
├── Forbidden            key_missing, key_invalid, scope_missing, origin_not_allowed
├── Unavailable          a part we need does not answer: vectors_unavailable, queue_unavailable, …
└── DocumentRefused      encrypted, empty, needs_ocr, unsupported, too_large, corrupt, cancelled,
                         withdrawn; of an address: address_refused, address_not_found, address_unreachable,
                         robots_refused, login_required, fetch_timeout

The English sentence travels with the error; a page that speaks Chinese looks the sentence up by ``code``
in its own catalog, with ``params`` to fill in.
"""

from typing import ClassVar, Literal

FetchRefusal = Literal[
    "address_refused", "address_not_found", "address_unreachable", "robots_refused", "login_required", "fetch_timeout"
]
RefusalReason = Literal[
    "encrypted", "empty", "needs_ocr", "unsupported", "too_large", "corrupt", "cancelled", "withdrawn", FetchRefusal
]


class CopilotError(Exception):
    """An error with a stable ``code`` and a sentence that says what to do."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, **params: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.params = params


class NotFound(CopilotError):
    """The thing asked for does not exist, or belongs to another tenant."""

    code = "not_found"


class Conflict(CopilotError):
    """The thing exists already, or changed meanwhile."""

    code = "conflict"


class InvalidInput(CopilotError):
    """What was sent cannot be used as it is."""

    code = "invalid_input"


class Forbidden(CopilotError):
    """The caller has not shown a right to do this."""

    code = "forbidden"


class Unavailable(CopilotError):
    """A part we need does not answer right now; trying again later may help."""

    code = "unavailable"


class DocumentRefused(CopilotError):
    """A document that cannot be taken in, with the typed reason an operator reads."""

    code = "document_refused"

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message, code=reason)
        self.reason: RefusalReason = reason
