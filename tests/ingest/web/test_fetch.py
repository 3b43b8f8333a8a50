"""Fetching a page: what is refused, with which reason; what is asked of the site, and what never is."""

import asyncio
import gzip
import ipaddress
import socket
import time
import zlib

import pytest

from ingest.web.addresses import Allowed, CheckedResolver, is_public, look_up
from ingest.web.fetch import Limits
from ingest.web.names import name_of
from knowledge.errors import DocumentRefused, InvalidInput
from knowledge.origins import Validators
from tests.ingest.web.site import LOCAL, Page, fetcher, site


async def reason(fetching) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(DocumentRefused) as caught:
        await fetching
    return caught.value.reason


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104 (refused)
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "fd00:ec2::254",
    ],
)  # fmt: skip
async def test_a_machine_that_is_not_public_is_not_fetched_from(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert await reason(fetcher(allowed=Allowed()).fetch(f"http://{host}/latest/meta-data")) == "address_refused"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_machine_may_be_fetched_from(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/x", "file:///etc/passwd", "http://", "http://me:secret@a.example/", "http://a b.example/", "x",
     "http://a.example:99999/", "gopher://a.example/", "http://a.example\\@b.example/"],
)  # fmt: skip
async def test_what_is_no_web_address_is_not_fetched(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await fetcher().fetch(url)
    assert caught.value.error_code == "address_invalid"


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "017700000001"])
async def test_an_address_in_an_old_spelling_gets_nowhere(host: str) -> None:
    async with site({"/": Page("inside")}) as here:
        found = await reason(fetcher(allowed=Allowed()).fetch(here.url("/", host)))
        assert found in ("address_refused", "address_unreachable")
        assert here.asked == []


@pytest.mark.parametrize("host", ["１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌocalhost"])
async def test_an_address_in_characters_that_only_look_like_digits_gets_nowhere(host: str) -> None:
    async with site({"/": Page("inside")}) as here:
        assert await reason(fetcher(allowed=Allowed()).fetch(here.url("/", host))) == "address_refused"
        assert here.asked == []


async def test_what_would_be_connected_to_is_checked_last_of_all() -> None:
    """Whatever got past the checks of names: no socket is made for an address that is not allowed."""
    resolver = CheckedResolver(look_up, Allowed())
    with pytest.raises(OSError, match="not allowed"):
        resolver.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))


async def test_a_name_with_one_private_address_among_its_own_is_refused() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    assert await reason(fetcher(allowed=Allowed(), resolve=resolve).fetch("http://a.example/")) == "address_refused"


async def test_a_name_that_means_another_machine_a_moment_later_gains_nothing() -> None:
    """DNS rebinding: what was checked is what is connected to, for every single connection."""
    answers = [["::1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked) - 1, 1)]

    async with site({"/": Page("inside")}) as here:
        careful = fetcher(allowed=Allowed.of(["::1"]), resolve=resolve)
        # robots.txt: the first answer is checked and connected to, and nobody listens there
        assert await reason(careful.fetch(here.url("/", "a.example"))) == "address_unreachable"
        assert await reason(careful.fetch(here.url("/", "a.example"))) == "address_refused"
        assert here.asked == []
        assert asked == ["a.example", "a.example"]


async def test_each_redirect_is_checked_anew() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with site() as here:
        for location in (
            "http://169.254.169.254/",
            "http://[::ffff:10.0.0.1]/",
            "file:///etc/passwd",
            "http://b.example/",
        ):
            here.pages["/"] = Page(status=302, headers={"Location": location})
            careful = fetcher(allowed=Allowed.of(["a.example"]), resolve=resolve)
            assert await reason(careful.fetch(here.url("/", "a.example"))) == "address_refused", location


async def test_redirects_are_followed_five_times() -> None:
    async with site({"/5": Page("there")}) as here:
        for n in range(5):
            here.pages[f"/{n}"] = Page(status=301, headers={"Location": f"/{n + 1}"})
        found = await fetcher().fetch(here.url("/0"))
        assert found is not None
        assert (found.url, found.body) == (here.url("/5"), b"there")
        here.pages["/5"] = Page(status=301, headers={"Location": "/6"})
        assert await reason(fetcher().fetch(here.url("/0"))) == "address_unreachable"
        assert here.asked_for("/6") == 0


async def test_what_robots_txt_forbids_is_not_asked_for() -> None:
    rules = "User-agent: MerchantCopilot\nDisallow: /private\n\nUser-agent: *\nDisallow: /\n"
    async with site({"/robots.txt": Page(rules, kind="text/plain"), "/open": Page("a"), "/led": Page(
        status=302, headers={"Location": "/private/b"}
    )}) as here:  # fmt: skip
        polite = fetcher()
        assert await reason(polite.fetch(here.url("/private/a"))) == "robots_refused"
        assert await reason(polite.fetch(here.url("/led"))) == "robots_refused"
        for _ in range(2):
            assert await polite.fetch(here.url("/open"))
        assert here.asked == ["/robots.txt", "/led", "/open", "/open"]
        assert here.agents == {"MerchantCopilot/0.1"}


async def test_a_host_is_asked_one_thing_at_a_time_with_a_pause_between() -> None:
    async with site({"/": Page("a", slow=0.02)}) as here:
        polite = fetcher(delay=0.1)
        before = time.monotonic()
        await asyncio.gather(*(polite.fetch(here.url("/")) for _ in range(3)))
        assert time.monotonic() - before >= 0.3  # robots.txt and three pages have three pauses between them
        assert here.most_at_once == 1


async def test_a_site_that_cannot_say_what_it_allows_is_left_alone() -> None:
    async with site({"/robots.txt": Page(status=500), "/": Page("a")}) as here:
        assert await reason(fetcher().fetch(here.url("/"))) == "address_unreachable"
        assert here.asked_for("/") == 0


@pytest.mark.parametrize(
    ("page", "refused"),
    [
        (Page(status=404), "address_not_found"),
        (Page(status=410), "address_not_found"),
        (Page(status=401), "login_required"),
        (Page(status=403), "login_required"),
        (Page(status=500), "address_unreachable"),
        (Page(status=503, headers={"Retry-After": "3600"}), "address_unreachable"),
        (Page("x" * 3000), "too_large"),
        (Page(b"not gzip", headers={"Content-Encoding": "gzip"}), "corrupt"),
        (Page(b"x", headers={"Content-Encoding": "br"}), "corrupt"),
        (Page("late", slow=5), "fetch_timeout"),
        (Page(status=302, headers={"Location": "/login?next=1"}), "login_required"),
        (Page(status=302, headers={"Location": "/welcome"}), "login_required"),
    ],
)
async def test_what_cannot_be_had_says_why(page: Page, refused: str) -> None:
    sign_in = Page('<html><form><input name=p type="password"></form></html>')
    async with site({"/": page, "/login?next=1": Page("<html>please"), "/welcome": sign_in}) as here:
        quick = Limits(connect=1, silence=0.3, whole=0.3)
        assert await reason(fetcher(max_bytes=2000, limits=quick).fetch(here.url("/"))) == refused


@pytest.mark.parametrize("packing", ["gzip", "deflate", "raw"])
async def test_a_packed_page_is_unpacked_and_a_bomb_is_not(packing: str) -> None:
    def packed(data: bytes) -> bytes:
        if packing == "gzip":
            return gzip.compress(data)
        squeezed = zlib.compress(data)
        return squeezed if packing == "deflate" else squeezed[2:-4]

    name = "gzip" if packing == "gzip" else "deflate"
    async with site() as here:
        here.pages["/"] = Page(packed("你好".encode()), headers={"Content-Encoding": name})
        here.pages["/bomb"] = Page(packed(bytes(20 << 20)), headers={"Content-Encoding": name})
        found = await fetcher().fetch(here.url("/"))
        assert found is not None
        assert found.body.decode() == "你好"
        before = time.process_time()
        assert await reason(fetcher().fetch(here.url("/bomb"))) == "too_large"
        assert time.process_time() - before < 1


async def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    async with site({"/": Page("a", headers={"ETag": '"1"'})}) as here:
        found = await fetcher().fetch(here.url("/"))
        assert found is not None
        assert found.validators == Validators(etag='"1"')
        assert await fetcher().fetch(here.url("/"), known=found.validators) is None


async def test_an_encoding_that_only_the_headers_tell_is_kept() -> None:
    async with site({"/": Page("<p>退货</p>".encode("gbk"), kind="text/html; charset=GBK")}) as here:
        found = await fetcher().fetch(here.url("/"))
        assert found is not None
        assert found.body.decode("utf-8-sig") == "<p>退货</p>"


async def test_a_host_that_asks_for_patience_is_asked_once_more_after_it() -> None:
    pages = iter([Page(status=429, headers={"Retry-After": "0"}), Page("now")])
    async with site({"/": lambda: next(pages)}) as here:
        found = await fetcher().fetch(here.url("/"))
        assert found is not None
        assert found.body == b"now"


def test_a_page_is_called_by_its_address_without_the_scheme() -> None:
    assert name_of("https://A.example/help/%E9%80%80%E8%B4%A7/?id=3") == "a.example/help/退货?id=3"
    assert name_of("https://a.example/") == "a.example"
    assert len(name_of("https://a.example/" + "x" * 900)) < 500
    assert LOCAL.address("127.0.0.1")
