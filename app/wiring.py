"""The service put together from settings: what is behind which port is decided here and nowhere else."""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

from app.answerer import CALIBRATED_MODEL, make_answerer, make_prompts
from app.channels.calls import Calls
from app.channels.groups import Groups
from app.channels.handoffs import Handoffs
from app.channels.processes import ChannelProcesses
from app.channels.replies import Replies
from app.chat import prompts
from app.chat.answerers import Answerer, ModelAnswerer
from app.chat.archive import Archive
from app.chat.background import Background, background
from app.chat.cache import AnswerCache, MemoryCache
from app.chat.cache_use import AnswerCacheUse
from app.chat.curated import CuratedMatches
from app.chat.curation import Curation
from app.chat.erasing import Eraser
from app.chat.evidence import Evidence
from app.chat.flights import Flights, flights
from app.chat.gaps import Gaps
from app.chat.history import Conversations
from app.chat.kept import KeptAnswers
from app.chat.measure import Measure
from app.chat.prompt_examples import Examples
from app.chat.prompt_preview import PromptPreviews
from app.chat.prompt_versions import Prompts
from app.chat.recall import Recall
from app.chat.receipts import Receipts
from app.chat.redis_cache import RedisCache
from app.chat.redis_streams import RedisStreams
from app.chat.second_looks import SecondLooks
from app.chat.service import ChatService
from app.chat.streams import MemoryStreams, TurnStreams
from app.chat.suggestions import Suggester
from app.chat.summaries import Summaries
from app.chat.turn_list import TurnList
from app.chat.work import WorkTurns
from app.chat.working import Worker
from app.database import migrate
from app.identity.keys import Keys
from app.identity.users import Users
from app.imaging.engines.diffusion.service import GpuService
from app.imaging.presets import presets
from app.imaging.templates import templates
from app.jobs.events import JobEvents
from app.jobs.ingestion import IngestHandler
from app.jobs.ports import Handler
from app.jobs.queue import JobQueue
from app.jobs.service import JobService
from app.llm.calls import ModelCalls
from app.llm.logged import CallBook
from app.llm.tokens import TokenCounter
from app.parse_queue import ParseQueue
from app.rechunking import Rechunking
from app.services import KnowledgeService
from app.settings import Settings
from app.snapshots import SnapshotService
from app.sources.items import SourceItems
from app.sources.keeper import Keeper
from app.sources.places import Places
from app.sources.service import Sources
from app.sources.store import SourceStore
from app.sources.sync import Synchroniser
from app.studio import running_jobs, studio_handlers
from app.tools.commands import Commands
from app.tools.create_copy import CreateCopy
from app.tools.job_tools import CancelJob, JobStatus
from app.tools.make_image import MakeImage
from app.tools.registry import Registry, Tool
from app.tuning import TuningService
from app.undoing import Undoing
from app.why_not import WhyNoAnswer
from ingest.files import FileStore
from ingest.originals import AT_ONCE, Originals
from ingest.parsing import DirectParser, IsolatedParser, Parser, Viewer
from ingest.parsing.ports import Load
from ingest.parsing.process import Limits
from ingest.pipeline import Pipeline
from ingest.web.addresses import Allowed
from ingest.web.arrival import Arrivals
from ingest.web.fetch import Fetcher
from knowledge import wiring as knowledge_wiring
from knowledge.answerability import assess
from knowledge.backlog import Backlog
from knowledge.chunk_editor import ChunkEditor
from knowledge.conflicts import Conflicts
from knowledge.curated import CuratedAnswers
from knowledge.cuts import Cuts
from knowledge.database import now
from knowledge.models import DEFAULT_TENANT
from knowledge.past import PastVersions
from knowledge.ports import Embedder, VectorStore
from knowledge.publications import Publications
from knowledge.rerank import Reranker
from knowledge.restoring import Restorer
from knowledge.snapshots import Snapshots
from knowledge.tunings import Tunings
from knowledge.why_not import WhyNot
from knowledge.wiring import Knowledge

# What showing a file may take: somebody waits for it, and the process that answers chats stands beside it.
SHOWN = Limits(resident=768 << 20, silent=15.0, seconds=60.0)


@dataclass(frozen=True, slots=True)
class Services:
    """What entry points call."""

    settings: Settings
    parts: Knowledge
    knowledge: KnowledgeService
    chat: ChatService
    conversations: Conversations
    archive: Archive
    eraser: Eraser
    streams: TurnStreams
    keys: Keys
    pipeline: Pipeline
    files: FileStore
    jobs: JobService
    users: Users
    groups: Groups
    replies: Replies
    handoffs: Handoffs
    curation: Curation
    conflicts: Conflicts
    calls: Calls
    model_calls: ModelCalls
    channel_processes: ChannelProcesses
    tools: Registry
    kept: KeptAnswers
    cache_use: AnswerCacheUse
    prompts: Prompts
    previews: PromptPreviews
    examples: Examples
    receipts: Receipts
    turn_list: TurnList
    sources: Sources
    keeper: Keeper
    tuning: TuningService
    rechunking: Rechunking
    originals: Originals
    parse_queue: ParseQueue
    undoing: Undoing
    snapshots: SnapshotService
    why_not: WhyNoAnswer


@dataclass(frozen=True, slots=True)
class Twins:
    """Doubles to put in place of what is expensive; None is the real thing. ``handlers`` are further kinds of job.

    ``clock`` says what is valid now. Who has doubles reads documents in this process, too: one of its own costs 0.3 s.
    """

    embedder: Embedder | None = None
    vectors: VectorStore | None = None
    queue: JobQueue | None = None
    answerer: Answerer | None = None
    cache: AnswerCache | None = None
    streams: TurnStreams | None = None
    events: JobEvents | None = None
    handlers: Sequence[Handler[Any]] = ()
    parser: Parser | None = field(default_factory=DirectParser)
    viewer: Viewer | None = field(default_factory=DirectParser)
    clock: Callable[[], datetime] = now
    reranker: Reranker | None = None
    fetcher: Fetcher | None = None


@asynccontextmanager
async def running_services(
    settings: Settings, *, chroma_url: str | None = None, redis_url: str | None = None, twins: Twins | None = None
) -> AsyncIterator[Services]:
    """Everything of one process, with the database migrated and the default tenant there; closed on leaving.

    Without a Redis nothing is queued: the caller runs the pipeline itself.
    """
    twins = twins or Twins(parser=None, viewer=None)
    settings.data.mkdir(parents=True, exist_ok=True)
    parts = knowledge_wiring.build(
        settings,
        chroma_url=chroma_url,
        embedder=twins.embedder,
        vectors=twins.vectors,
        reranker=twins.reranker,
        clock=twins.clock,
    )
    redis = redis_url or settings.redis_url
    cache = twins.cache or (RedisCache(redis) if redis else MemoryCache())
    streams = twins.streams or (RedisStreams(redis) if redis else MemoryStreams())
    parser = twins.parser or _parser(settings)
    viewer = twins.viewer or IsolatedParser(slots=AT_ONCE, limits=SHOWN, ocr="off")
    try:
        await migrate(parts.database)
        await parts.embedders.remember()
        await parts.catalog.ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        counter = TokenCounter(settings.cache_folder / "tokenizers")
        model_calls = ModelCalls(parts.database, currency=settings.prices.currency)
        calls = CallBook(model_calls, counter)
        answerer = twins.answerer or make_answerer(settings, parts.embedder, counter)
        files = FileStore(settings.files, max_bytes=settings.max_upload_mb << 20)
        fetcher = twins.fetcher or Fetcher(
            agent=settings.fetch_agent, max_bytes=files.max_bytes, allowed=Allowed.of(settings.fetch_allow)
        )
        pipeline = _pipeline(parts, files, parser, fetcher)
        model = answerer.model if isinstance(answerer, ModelAnswerer) else None
        kinds: list[Handler[Any]] = [IngestHandler(pipeline, parts.versions), *twins.handlers]
        drawer = GpuService(device=settings.image_device)
        kinds = [*studio_handlers(settings, model, drawer, calls), *kinds]
        async with (
            running_jobs(settings, parts.database, redis, kinds, queue=twins.queue, events=twins.events) as jobs,
            flights() as shared,
            background() as behind_it,
        ):
            behind = _Behind(
                parts,
                files,
                Originals(viewer, files),
                fetcher,
                pipeline,
                parser.load,
                jobs,
                cache,
                streams,
                answerer,
                shared,
                calls,
                model_calls,
                behind_it,
                twins.clock,
            )
            yield _services(settings, behind)
        await answerer.close()
    finally:
        parser.close()
        viewer.close()
        await cache.close()
        await streams.close()
        await parts.lexical.close()
        await parts.vectors.close()
        if parts.reranker is not None:
            await parts.reranker.close()
        await parts.database.close()


def _worker(jobs: JobService, *, has_model: bool) -> Worker:
    """The tools of this installation: those whose kinds of job it has."""
    pictures = [kind for kind, handler in jobs.handlers.items() if handler.queue == "image"]
    channels = {name: " ".join(preset.title.values()) for name, preset in presets().items()}
    scenes = {name: " ".join(template.title.values()) for name, template in templates().items()}
    copy = [kind for kind, handler in jobs.handlers.items() if handler.queue == "text"]
    tools: list[Tool] = [JobStatus(jobs), CancelJob(jobs)]
    tools += [CreateCopy(jobs, copy)] if copy else []
    tools += [MakeImage(jobs, pictures, templates=scenes, presets=channels)] if pictures else []
    registry = Registry.of(tools)
    commands = Commands(registry, list(scenes), copy_possible=has_model)
    return Worker(registry, commands, prompts.load("work"))


def _parser(settings: Settings) -> Parser:
    soffice = shutil.which("soffice") or shutil.which("libreoffice")
    return IsolatedParser(soffice=Path(soffice) if soffice else None, ocr=settings.ocr)


def _pipeline(parts: Knowledge, files: FileStore, parser: Parser, fetcher: Fetcher) -> Pipeline:
    return Pipeline(
        catalog=parts.catalog,
        versions=parts.versions,
        vector_ledger=parts.vector_ledger,
        vectors=parts.vectors,
        embedders=parts.embedders,
        files=files,
        load=parser.load,
        unpack=parser.unpack,
        bring=Arrivals(fetcher, files, parts.origins, parts.versions),
    )


@dataclass(frozen=True, slots=True)
class _Behind:
    """What the services are made from."""

    parts: Knowledge
    files: FileStore
    originals: Originals
    fetcher: Fetcher
    pipeline: Pipeline
    load: Load
    jobs: JobService
    cache: AnswerCache
    streams: TurnStreams
    answerer: Answerer
    flights: Flights
    calls: CallBook
    model_calls: ModelCalls
    background: Background
    clock: Callable[[], datetime]


def _services(settings: Settings, behind: _Behind) -> Services:
    parts, files, jobs, answerer = behind.parts, behind.files, behind.jobs, behind.answerer
    calibrated = parts.embedder.model_id.startswith(CALIBRATED_MODEL)
    cache_use = AnswerCacheUse(parts.database, default=settings.answer_cache)
    reranked = f"{parts.reranker.model_id}/{settings.rerank_top}" if parts.reranker else ""
    recipe = (
        f"{version('merchant-copilot')}/{settings.passages}/{settings.candidates}/{settings.section_width}/{reranked}"
    )
    kept = KeptAnswers(behind.cache, behind.flights, cache_use, recipe=recipe, known_scale=calibrated)
    conversations = Conversations(parts.database)
    knowledge = KnowledgeService(
        catalog=parts.catalog,
        versions=parts.versions,
        vector_ledger=parts.vector_ledger,
        vectors=parts.vectors,
        lexical=parts.lexical,
        embedder=parts.embedder,
        retriever=parts.retriever,
        files=files,
        jobs=jobs,
        past=PastVersions(parts.database),
        editor=ChunkEditor(parts.database),
        allowed=behind.fetcher.allowed,
    )
    worker = _worker(jobs, has_model=isinstance(answerer, ModelAnswerer))
    evidence = Evidence(parts.retriever, partial(assess, known_scale=calibrated), passages=settings.passages)
    examples = Examples(parts.database, parts.embedder)
    versions = make_prompts(settings, parts.database, answerer, examples)
    curated, gaps = CuratedAnswers(parts.database), Gaps(parts.database, parts.embedder, known_scale=calibrated)
    matches = CuratedMatches(curated, parts.catalog, parts.embedder, known_scale=calibrated, clock=behind.clock)
    chat = ChatService(
        catalog=parts.catalog,
        curated=matches,
        gaps=gaps,
        evidence=evidence,
        conversations=conversations,
        kept=kept,
        answerer=answerer,
        prompts=versions,
        suggester=Suggester(settings.suggestions, behind.flights),
        work=WorkTurns(worker, jobs, conversations, evidence),
        artifacts=jobs.artifacts,
        calls=behind.calls,
        second_looks=SecondLooks(
            parts.database,
            behind.background,
            parts.embedder if calibrated else None,
            share=settings.answer_cache_sample,
        ),
        recall=_recall(settings, behind, conversations),
    )
    return Services(
        settings=settings,
        parts=parts,
        knowledge=knowledge,
        chat=chat,
        conversations=conversations,
        archive=Archive(parts.database),
        eraser=Eraser(parts.database, behind.streams),
        streams=behind.streams,
        keys=Keys(parts.database),
        pipeline=behind.pipeline,
        files=files,
        jobs=jobs,
        users=Users(parts.database),
        groups=Groups(parts.database, parts.catalog),
        replies=Replies(parts.database),
        handoffs=Handoffs(parts.database),
        conflicts=Conflicts(parts.database, clock=behind.clock),
        curation=Curation(curated, matches, gaps, parts.catalog),
        calls=Calls(parts.database),
        model_calls=behind.model_calls,
        channel_processes=ChannelProcesses(parts.database),
        tools=worker.registry,
        kept=kept,
        cache_use=cache_use,
        prompts=versions,
        examples=examples,
        previews=PromptPreviews(
            versions, parts.database, evidence, answerer, behind.calls, tools=worker.registry.specs
        ),
        receipts=Receipts(parts.database, behind.model_calls),
        turn_list=TurnList(parts.database),
        tuning=TuningService(parts.catalog, parts.retriever, evidence, Tunings(parts.database), clock=behind.clock),
        rechunking=Rechunking(Cuts(parts.database), parts.catalog, knowledge, files, behind.load),
        originals=behind.originals,
        **_watching(settings, behind, knowledge),
        **_tending(settings, behind, knowledge, evidence),
    )


class _Watching(TypedDict):
    sources: Sources
    keeper: Keeper


def _watching(settings: Settings, behind: _Behind, knowledge: KnowledgeService) -> _Watching:
    store, items = SourceStore(behind.parts.database), SourceItems(behind.parts.database)
    places = Places(settings.source_folders, fetcher=behind.fetcher, files=behind.files)
    return {
        "sources": Sources(store, items, places, knowledge),
        "keeper": Keeper(store, places, Synchroniser(items, knowledge), behind.background),
    }


class _Tending(TypedDict):
    parse_queue: ParseQueue
    undoing: Undoing
    snapshots: SnapshotService
    why_not: WhyNoAnswer


def _tending(settings: Settings, behind: _Behind, knowledge: KnowledgeService, evidence: Evidence) -> _Tending:
    parts, database = behind.parts, behind.parts.database
    stored = (database, parts.catalog, parts.vectors)
    explained = WhyNot(*stored, parts.lexical, parts.embedders, parts.retriever, candidates=settings.candidates)
    snapshots, restorer = Snapshots(*stored, parts.synonyms), Restorer(*stored, parts.synonyms)
    return {
        "parse_queue": ParseQueue(Backlog(database), parts.versions, knowledge, behind.jobs),
        "undoing": Undoing(knowledge, Publications(database)),
        "snapshots": SnapshotService(snapshots, restorer, knowledge, parts.embedder),
        "why_not": WhyNoAnswer(explained, evidence, passages=settings.passages),
    }


def _recall(settings: Settings, behind: _Behind, conversations: Conversations) -> Recall:
    answerer, calls = behind.answerer, behind.calls
    measure = Measure(calls.counter, answerer.name, settings.history_tokens)
    if not (settings.history_summary and isinstance(answerer, ModelAnswerer)):
        return Recall(conversations, measure)
    template = prompts.load("summarise")
    made = Summaries(behind.background, conversations, answerer, template=template, measure=measure, calls=calls)
    return Recall(conversations, measure, made)
