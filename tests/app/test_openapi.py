"""The API keeps to its OpenAPI document: schemathesis asks it whatever the document allows, and what it does not.

Whatever is sent, nothing answers with a mistake of ours (5xx) or with a status, a type or a body that the document does
not have. The requests are the same in every run.
"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.llm.scripted import ScriptedModel
from app.main import create_app
from tests.app.jobs.kinds import Echo
from tests.app.jobs_api.calls import png
from tests.products import FEES, settings_for, take_in
from tests.serving import listening

EXAMPLES = 6  # for an operation, on top of schemathesis' own boundary cases
NAMES = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an API in a thread of its own, with a document in it, and a model that says the same to all."""
    ready: Future[str] = Future()
    leave = threading.Event()

    async def serve() -> None:
        model = ModelAnswerer(ScriptedModel(["50000 [1]"]), prompts.load("answer"), temperature=0, max_tokens=9)
        data = tmp_path_factory.mktemp("openapi")
        async with listening(data, answerer=model, handlers=[Echo()]) as (url, services):
            await take_in(services, "shop", "费用.md", FEES)
            ready.set_result(url)
            await asyncio.to_thread(leave.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield ready.result(60)
    leave.set()
    thread.join(30)


@pytest.fixture(scope="module")
def known(service: str) -> dict[str, str]:
    """Things that are there, by the name of the path's parameter."""
    with httpx.Client(base_url=service) as http:
        turn = http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？", "stream": False}).json()
        job = http.post("/v1/jobs", json={"kind": "echo", "request": {"text": "你好"}}).json()
        http.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()  # so that its events end
        return {
            "kb": "shop",
            "model": "copilot:shop",
            "turn_id": turn["turn_id"],
            "conversation_id": turn["conversation_id"],
            "job_id": job["id"],
            "document_id": http.get("/v1/knowledge-bases/shop/documents").json()["documents"][0]["id"],
            "artifact_id": http.post("/v1/artifacts", files={"file": ("a.png", png())}).json()["id"],
            "key_id": http.post("/v1/keys", json={"name": "k"}).json()["id"],
        }


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return create_app(settings_for(Path(folder))).openapi()


openapi = schemathesis.openapi.from_dict(
    _document(), config=SchemathesisConfig.from_dict({"generation": {"deterministic": True}, "request-timeout": 20})
)


@openapi.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_the_api_keeps_to_its_document(case: Any, service: str, known: dict[str, str]) -> None:
    for name, value in (case.path_parameters or {}).items():
        if name in known and len(str(value)) % 2:  # half of the time what is asked for exists
            case.path_parameters[name] = known[name]
    case.call_and_validate(base_url=service, checks=CHECKS.get_by_names(NAMES))
