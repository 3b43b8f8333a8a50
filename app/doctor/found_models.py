"""What embeds and what reranks besides the bundled model: is it there, and has every knowledge base moved to it?"""

from importlib.util import find_spec
from pathlib import Path

from app.doctor.report import Finding
from app.doctor.sources import without_password
from app.processes.words import Param
from app.settings import Settings
from knowledge.errors import CopilotError, InvalidInput, Unavailable
from knowledge.rerankers.cross_encoder import MARK as HEAD
from knowledge.torch_models import MARK as MODULES

__all__ = ["HEAD", "MODULES", "moving", "rerank_endpoint", "torch_model"]


def torch_model(settings: Settings, model: str | None, mark: str, chooser: str, variable: str) -> list[Finding]:
    """A folder is looked into; a hub id is only named: asking the hub is for the first start. Blocking."""
    if not model:
        return [Finding("error", "torch_model_unset", {"chooser": chooser, "variable": variable})]
    about: dict[str, Param] = {"chooser": chooser, "variable": variable, "model": model}
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        return [Finding("error", "gpu_extra_missing", about)]
    folder = Path(model).expanduser()
    more = {**about, "device": settings.embedding_device, "precision": settings.embedding_precision}
    if not folder.is_dir():
        local = model.startswith((".", "/", "~"))
        return [Finding("error" if local else "note", "torch_model_absent" if local else "torch_model_hub", more)]
    if not (folder / mark).is_file() or not any(folder.rglob("*.safetensors")):
        return [Finding("error", "torch_model_no_model", {**about, "mark": mark})]
    return [Finding("ok", "torch_model_ready", more)]


async def rerank_endpoint(settings: Settings) -> list[Finding]:
    """Asked to order two words, which is the only question such an endpoint knows."""
    from knowledge.wiring import make_reranker

    url = without_password(settings.rerank_url or "")
    try:
        made = make_reranker(settings)
    except InvalidInput:
        return [Finding("error", "rerank_half")]
    assert made is not None  # noqa: S101 (settings.reranker is "http")
    try:
        await made.scores("ready?", ["ready", "not"])
    except Unavailable as failure:
        return [Finding("error", "rerank_failing", {"url": url, "code": failure.error_code, "said": failure.message})]
    finally:
        await made.close()
    about: dict[str, Param] = {"url": url, "name": settings.rerank_model or "", "top": settings.rerank_top}
    return [Finding("ok", "rerank_reached", about | {"seconds": f"{settings.rerank_timeout:g}"})]


async def moving(settings: Settings) -> list[Finding]:
    """Knowledge bases on their way to another embedding model. What is wrong with the database, its own check says."""
    if not (settings.database_url or (settings.data / "copilot.db").exists()):
        return []
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from knowledge.database import Database
    from knowledge.shelves import model_of
    from knowledge.tables import knowledge_bases as bases

    query = select(bases.c.name, bases.c.embedding_model, bases.c.next_model).where(bases.c.next_model.is_not(None))
    try:
        opened = Database(settings.database)
        try:
            async with opened.read() as connection:
                rows = (await connection.execute(query)).all()
        finally:
            await opened.close()
    except (SQLAlchemyError, OSError, ImportError, CopilotError, TypeError):
        return []
    return [
        Finding("note", "base_moving", {"name": row.name, "old": old, "new": new})
        for row in rows
        if (old := model_of(row.embedding_model)) != (new := model_of(row.next_model))
    ]
