"""A page, or all pages that a sitemap names, watched."""

from urllib.parse import urlsplit

from ingest.files import FileStore
from ingest.watch.ports import Entry, Globs, Gone, Listing, PlaceUnreadable, Taken
from ingest.web.addresses import checked_url
from ingest.web.arrival import stored_bytes
from ingest.web.fetch import Fetcher
from ingest.web.names import name_of
from ingest.web.sitemap import Sitemap, SitemapInvalid, SitemapPage, parse_sitemap
from knowledge.errors import CopilotError, DocumentRefused, InvalidInput
from knowledge.origins import Validators

MOST_PAGES = 5000
MOST_SITEMAPS = 50  # below one that names further ones


class PagePlace:
    """One page."""

    def __init__(self, url: str, fetcher: Fetcher, files: FileStore) -> None:
        self._url = url
        self._fetcher = fetcher
        self._files = files

    async def list(self) -> Listing:
        return Listing([Entry(self._url, name_of(self._url))])

    async def take(self, tenant: str, entry: Entry, known: Validators) -> Taken | None:
        try:
            found = await self._fetcher.fetch(entry.key, known=known)
        except DocumentRefused as refusal:
            if refusal.reason == "address_not_found":
                raise Gone from refusal
            raise
        except InvalidInput as error:
            raise DocumentRefused("address_refused", error.message) from error
        if found is None:
            return None
        return Taken(await stored_bytes(self._files, tenant, found.body), found.validators, entry.mark)


class SitemapPlace(PagePlace):
    """The pages of a sitemap that are on its own host, ``most`` of them."""

    def __init__(self, url: str, globs: Globs, fetcher: Fetcher, files: FileStore, *, most: int = MOST_PAGES) -> None:
        super().__init__(url, fetcher, files)
        self._globs = globs
        self._most = most

    async def list(self) -> Listing:
        """A sitemap that cannot be read as a whole says nothing."""
        first = await self._read(self._url)
        pages = list(first.pages)
        for url in first.further[:MOST_SITEMAPS]:
            if self._is_ours(url):
                pages += (await self._read(url)).pages
        wanted = {entry.key: entry for page in pages if (entry := self._entry(page)) is not None}
        entries = list(wanted.values())
        complete = len(entries) <= self._most and len(first.further) <= MOST_SITEMAPS
        return Listing(entries[: self._most], complete=complete, left_out=len(pages) - len(entries))

    async def _read(self, url: str) -> Sitemap:
        try:
            found = await self._fetcher.fetch(url)
            return parse_sitemap(found.body if found is not None else b"")
        except SitemapInvalid as error:
            raise PlaceUnreadable(f"{url} is no sitemap: {error}.", code="sitemap_invalid", url=url) from error
        except CopilotError as error:
            raise PlaceUnreadable(error.message, code=error.error_code) from error

    def _entry(self, page: SitemapPage) -> Entry | None:
        try:
            url = checked_url(page.url, self._fetcher.allowed)
        except (InvalidInput, DocumentRefused):
            return None
        wanted = self._is_ours(url) and (self._globs.want(url) or self._globs.want(urlsplit(url).path))
        excluded = not Globs(exclude=self._globs.exclude).want(urlsplit(url).path)
        return Entry(url, name_of(url), page.changed) if wanted and not excluded else None

    def _is_ours(self, url: str) -> bool:
        try:
            return urlsplit(url).netloc.lower() == urlsplit(self._url).netloc.lower()
        except ValueError:
            return False
