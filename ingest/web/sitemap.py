"""``sitemap.xml`` → addresses. The XML is read without entities, document types and files of its own."""

from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]

from ingest.web.bodies import gunzipped
from knowledge.errors import DocumentRefused

MOST_BYTES = 50 << 20  # of one sitemap, as the protocol has it


@dataclass(frozen=True, slots=True)
class SitemapPage:
    """``changed`` as the sitemap has it, to be compared only."""

    url: str
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """Either pages, or further sitemaps."""

    pages: tuple[SitemapPage, ...] = ()
    further: tuple[str, ...] = ()


class SitemapInvalid(Exception):
    """What came is no sitemap."""


def parse_sitemap(data: bytes) -> Sitemap:
    """Raises SitemapInvalid."""
    try:
        data = gunzipped(data, limit=MOST_BYTES)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, DocumentRefused, ValueError) as error:
        raise SitemapInvalid(str(error)) from error
    if root.getroottree().docinfo.doctype:
        raise SitemapInvalid("it declares a document type")
    match _local(root):
        case "urlset":
            pages = (SitemapPage(_text(each, "loc"), _text(each, "lastmod") or None) for each in _children(root, "url"))
            return Sitemap(pages=tuple(page for page in pages if page.url))
        case "sitemapindex":
            further = (_text(each, "loc") for each in _children(root, "sitemap"))
            return Sitemap(further=tuple(url for url in further if url))
        case other:
            raise SitemapInvalid(f"it begins with <{other}>")


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if _local(child) == name]


def _text(element: etree._Element, name: str) -> str:
    found = _children(element, name)
    return (found[0].text or "").strip() if found else ""
