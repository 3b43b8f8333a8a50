"""Watched pages, sitemaps and store prefixes, from a website on this machine and a store in memory."""

import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from ingest.web.sitemap import SitemapInvalid, parse_sitemap
from knowledge.errors import DocumentRefused, InvalidInput
from tests.app.sources.watching import add, came_to, names, run, watching
from tests.ingest.web.site import Page, Site, site


def page(text: str, etag: str | None = None) -> Page:
    return Page(
        f"<html><body><h1>{text}</h1><p>{text}的内容。</p></body></html>", headers={"ETag": etag} if etag else {}
    )


def sitemap(here: Site, *pages: str, changed: str | None = "2026-01-01") -> Page:
    lastmod = f"<lastmod>{changed}</lastmod>" if changed else ""
    urls = "".join(f"<url><loc>{path if '://' in path else here.url(path)}</loc>{lastmod}</url>" for path in pages)
    return Page(
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>',
        kind="application/xml",
    )


async def test_a_watched_page_is_taken_in_again_only_when_it_has_changed(tmp_path: Path) -> None:
    async with site({"/a": page("甲", '"1"')}) as here, watching(tmp_path) as services:
        source = await add(services, "url", here.url("/a"))
        assert came_to(await run(services, source)) == {"new": 1}
        assert came_to(await run(services, source)) == {"unchanged": 1}
        here.pages["/a"] = page("乙", '"2"')
        assert came_to(await run(services, source)) == {"changed": 1}
        assert await names(services) == [f"127.0.0.1:{here.port}/a"]


async def test_a_page_that_is_gone_or_refused_keeps_answering_until_somebody_agrees(tmp_path: Path) -> None:
    async with site({"/a": page("甲")}) as here, watching(tmp_path) as services:
        source = await add(services, "url", here.url("/a"))
        await run(services, source)
        here.pages["/a"] = Page(status=404)
        for _ in range(3):
            assert (await run(services, source)).state == "asks"
        here.pages["/a"] = Page(status=403)
        refused = await run(services, source)
        assert [each.reason for each in refused.failures] == ["login_required"]
        here.pages["/a"] = page("甲")
        assert came_to(await run(services, source)) == {"unchanged": 1}
        assert len(await names(services)) == 1


async def test_a_sitemap_is_followed_page_by_page(tmp_path: Path) -> None:
    async with site() as here, watching(tmp_path) as services:
        for path in ("/a", "/b", "/c", "/d"):
            here.pages[path] = page(path)
        here.pages["/sitemap.xml"] = sitemap(here, "/a", "/b", "/c", "/d", "/none", "http://other.example/x")
        source = await add(services, "sitemap", here.url("/sitemap.xml"))
        first = await run(services, source)
        assert came_to(first) == {"new": 4, "failed": 1, "left_out": 1}
        assert [each.reason for each in first.failures] == ["address_not_found"]
        asked = here.asked_for("/a")
        here.pages["/sitemap.xml"] = sitemap(here, "/a", "/b", "/c")
        assert came_to(await run(services, source)) == {"unchanged": 3, "missing": 1}
        assert here.asked_for("/a") == asked  # the sitemap says that it has not changed
        here.pages["/a"] = page("new")
        here.pages["/sitemap.xml"] = sitemap(here, "/a", "/b", "/c", changed="2026-02-02")
        assert came_to(await run(services, source)) == {"changed": 1, "unchanged": 2, "deleted": 1}
        assert await names(services) == [f"127.0.0.1:{here.port}/{name}" for name in "abc"]


async def test_patterns_choose_pages_by_address_or_path(tmp_path: Path) -> None:
    async with site({"/help/a": page("a"), "/help/old/b": page("b"), "/shop/c": page("c")}) as here:
        here.pages["/sitemap.xml"] = sitemap(here, "/help/a", "/help/old/b", "/shop/c", changed=None)
        async with watching(tmp_path) as services:
            url = here.url("/sitemap.xml")
            source = await add(services, "sitemap", url, include=["/help/*"], exclude=["*/old/*"])
            await run(services, source)
            assert await names(services) == [f"127.0.0.1:{here.port}/help/a"]


async def test_a_sitemap_of_sitemaps_is_read_packed_too_and_one_that_fails_concludes_nothing(tmp_path: Path) -> None:
    async with site({"/a": page("a"), "/b": page("b")}) as here, watching(tmp_path) as services:
        index = "".join(f"<sitemap><loc>{here.url(f'/{n}.xml.gz')}</loc></sitemap>" for n in (1, 2))
        here.pages["/sitemap.xml"] = Page(f"<sitemapindex>{index}</sitemapindex>", kind="text/xml")
        for n, path in ((1, "/a"), (2, "/b")):
            body = sitemap(here, path).body
            assert isinstance(body, str)
            here.pages[f"/{n}.xml.gz"] = Page(gzip.compress(body.encode()), kind="application/gzip")
        source = await add(services, "sitemap", here.url("/sitemap.xml"))
        assert came_to(await run(services, source)) == {"new": 2}
        here.pages["/2.xml.gz"] = Page(status=500)
        assert (await run(services, source)).error_code == "address_unreachable"
        here.pages["/sitemap.xml"] = Page("<html>maintenance</html>")
        assert (await run(services, source)).error_code == "sitemap_invalid"
        here.pages["/sitemap.xml"] = sitemap(here)
        assert (await run(services, source)).state == "asks"
        assert len(await names(services)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"not xml", b"<html></html>", b"\x1f\x8b broken",
        b'<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>',
        b'<!DOCTYPE u [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>',
    ],
)  # fmt: skip
def test_what_is_no_sitemap_and_one_with_entities_is_refused(body: bytes) -> None:
    with pytest.raises(SitemapInvalid):
        parse_sitemap(body)


async def test_a_page_on_a_private_machine_is_not_watched(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        with pytest.raises(DocumentRefused) as caught:
            await add(services, "url", "http://192.168.0.1/")
        assert caught.value.reason == "address_refused"


@pytest.fixture
def store() -> Iterator[tuple[Any, str]]:
    """A store in memory and a prefix of it."""
    fs = fsspec.filesystem("memory")
    root = f"/bucket-{uuid.uuid4().hex}"
    yield fs, root
    if fs.exists(root):
        fs.rm(root, recursive=True)


async def test_a_store_prefix_is_watched_like_a_folder(tmp_path: Path, store: tuple[Any, str]) -> None:
    fs, root = store
    for name in ("a.md", "b/c.md", "b/d.md", ".hidden.md"):
        fs.pipe(f"{root}/docs/{name}", f"# {name}\n\n内容。".encode())
    fs.pipe(f"{root}/private/x.md", b"# x")
    async with watching(tmp_path, f"memory:/{root}/docs") as services:
        source = await add(services, "s3", f"memory:/{root}/docs/")
        assert came_to(await run(services, source)) == {"new": 3}
        assert await names(services) == ["a.md", "b/c.md", "b/d.md"]
        assert came_to(await run(services, source)) == {"unchanged": 3}
        fs.pipe(f"{root}/docs/a.md", b"# a\n\nnew")
        fs.rm(f"{root}/docs/b/d.md")
        assert came_to(await run(services, source)) == {"changed": 1, "unchanged": 1, "missing": 1}
        fs.rm(f"{root}/docs", recursive=True)
        assert (await run(services, source)).state in ("asks", "failed")
        assert len(await names(services)) == 3


async def test_only_store_prefixes_that_a_setting_names_are_watched(tmp_path: Path) -> None:
    async with watching(tmp_path, "memory://bucket/docs") as services:
        for url in (
            "memory://bucket",
            "memory://bucket/docs/../private",
            "memory://bucket/docs2",
            "file:///etc",
            "s3://bucket/docs",
        ):
            with pytest.raises(InvalidInput) as caught:
                await add(services, "s3", url)
            assert caught.value.error_code == "source_folder_refused", url


async def test_a_store_without_its_library_says_what_to_install(tmp_path: Path) -> None:
    try:
        import s3fs  # noqa: F401
    except ImportError:
        async with watching(tmp_path, "s3://bucket/docs") as services:
            source = await add(services, "s3", "s3://bucket/docs")
            failed = await run(services, source)
            assert failed.error_code == "s3_missing"
            assert "pip install s3fs" in (failed.error_message or "")
