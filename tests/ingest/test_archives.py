"""A ZIP of documents through the whole product: its members are documents of their own, and follow it."""

from pathlib import Path

from app.jobs.runner import JobRunner
from app.wiring import Services
from ingest.sniff import ZIP
from knowledge.models import DEFAULT_TENANT, Document, DocumentStatus
from tests.ingest.loaders.test_members import zipped
from tests.products import FEES, RETURNS, product, take_in


async def upload(services: Services, content: bytes) -> Document:
    """As over HTTP, with a worker behind it that runs what is queued until nothing is left."""

    async def pieces():  # type: ignore[no-untyped-def]
        yield content

    await services.knowledge.ensure(DEFAULT_TENANT, "shop")
    received = await services.knowledge.upload(DEFAULT_TENANT, "shop", "资料.zip", pieces())
    await JobRunner(services.jobs, "worker").drain("ingest")
    return await services.knowledge.catalog.document(DEFAULT_TENANT, received.document.id)


async def documents(services: Services) -> dict[str, Document]:
    base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
    return {document.name: document for document in (await services.knowledge.catalog.documents(base))[0]}


async def first(services: Services, question: str) -> str | None:
    found = await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], limit=1)
    return found.passages[0].document if found.passages else None


async def test_each_member_becomes_a_document_that_is_found(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        archive = await upload(
            services, zipped([("规则/退货.md", RETURNS.encode()), ("费用.md", FEES.encode()), ("x", b"")])
        )
        assert archive.status is DocumentStatus.LIVE
        assert archive.media_type == ZIP
        assert archive.chunks == 0
        assert "2 files were taken out" in str(archive.message)
        assert "资料.zip/x (empty)" in str(archive.message)
        assert set(await documents(services)) == {"资料.zip", "资料.zip/规则/退货.md", "资料.zip/费用.md"}
        assert await first(services, "旗舰店保证金是多少") == "资料.zip/费用.md"
        assert not list((tmp_path / "files" / DEFAULT_TENANT / "incoming").iterdir())


async def test_a_newer_archive_changes_what_changed_and_forgets_what_is_gone(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await upload(services, zipped([("a.md", RETURNS.encode()), ("b.md", FEES.encode()), ("c.md", b"# C\n\nc")]))
        await take_in(services, "shop", "资料.zip2/d.md", "# 别的\n\n不在压缩包里")
        newer = FEES.replace("50000", "60000").encode()
        await upload(services, zipped([("a.md", RETURNS.encode()), ("b.md", newer)]))
        found = await documents(services)
        assert {name: found[name].version for name in found} == {
            "资料.zip": 2,
            "资料.zip/a.md": 1,
            "资料.zip/b.md": 2,
            "资料.zip2/d.md": 1,
        }
        found_passages = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=10)
        texts = " ".join(passage.text for passage in found_passages.passages)
        assert "60000" in texts
        assert "50000" not in texts


async def test_an_archive_stands_for_no_folder_that_was_uploaded(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "资料/a.md", RETURNS)
        await take_in(services, "shop", "资料", zipped([("b.md", FEES.encode())]))
        assert set(await documents(services)) == {"资料", "资料/a.md", "资料.zip/b.md"}


async def test_the_same_archive_again_is_no_work(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        data = zipped([("a.md", RETURNS.encode())])
        await upload(services, data)
        await upload(services, data)
        assert {document.version for document in (await documents(services)).values()} == {1}


async def test_a_deleted_archive_takes_its_documents_along(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        archive = await upload(services, zipped([("a.md", RETURNS.encode()), ("b.md", FEES.encode())]))
        await services.knowledge.delete_document(DEFAULT_TENANT, archive.id)
        assert await documents(services) == {}
        assert await first(services, "旗舰店保证金是多少") is None


async def test_an_archive_of_nothing_is_refused_and_a_bad_member_says_so_itself(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        assert (await upload(services, zipped([(".DS_Store", b"x")]))).reason == "empty"
        await upload(services, zipped([("a.md", RETURNS.encode()), ("b.pdf", b"%PDF-1.7\ngarbage")]))
        found = await documents(services)
        assert found["资料.zip"].status is DocumentStatus.LIVE
        assert found["资料.zip/b.pdf"].reason == "corrupt"


async def test_a_run_that_broke_off_half_way_is_taken_up_where_it_was(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        data = zipped([("a.md", RETURNS.encode()), ("b.md", FEES.encode())])
        kb = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        stored = await services.files.save(DEFAULT_TENANT, _once(RETURNS.encode()))
        await services.parts.versions.receive(  # as the run before did, and no more
            kb, "资料.zip/a.md", content_hash=stored.content_hash, size=stored.size
        )
        await upload(services, data)
        assert {document.status for document in (await documents(services)).values()} == {DocumentStatus.LIVE}


async def _once(content: bytes):  # type: ignore[no-untyped-def]
    yield content
