"""The console in both languages, complete in each; and the files it serves."""

import hashlib
import re
from pathlib import Path
from string import Formatter

from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.console.texts import catalog
from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import FOLDER, REASONS, one, refused, see, served, words
from tests.products import take_in


async def test_the_language_is_the_browsers_until_one_is_chosen(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        for accepted, shown in (
            ("en-US,en;q=0.9", "en"),
            ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("fr;q=0.9, en;q=0.5", "en"),
            ("de", "zh-CN"),
            ("en;q=broken, zh;q=0", "zh-CN"),
        ):
            answer = await http.get("/console", headers={"Accept-Language": accepted})
            assert one(HTMLParser(answer.text), "html").attributes["lang"] == shown, accepted
        chosen = await http.post("/console/language", data={"to": "en", "next": "/console/keys"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/keys")
        assert one(await see(http, "/console/keys"), "html").attributes["lang"] == "en"


async def test_english_pages_have_no_chinese_left(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", "en")
        document = await take_in(
            services, "shop", "fees.md", "# Fees\n\nThe deposit is 300 dollars for flagship shops."
        )
        for reason in REASONS:
            await refused(services, f"{reason}.pdf", reason)
        await services.keys.issue(DEFAULT_TENANT, "order system", scope=Scope.READ)
        for path in (
            "/console", "/console/kb/shop", "/console/kb/shop?q=none", "/console/kb/shop/search?q=deposit",
            "/console/kb/shop/search?q=martian", f"/console/documents/{document.id}", "/console/keys", "/console/login",
            "/console/prompts", "/console/sources",
        ):  # fmt: skip
            page = await see(http, path)
            for switch in page.css("form[data-language], script"):
                switch.decompose()
            assert re.findall(r"[\u3000-\u9fff]", page.html or "") == [], path
        assert "There is no such page" in words(await see(http, "/console/none", status=404))


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    for key, entry in catalog().items():
        assert set(entry) == {"zh", "en"}, key
        english = entry["en"] if isinstance(entry["en"], list) else [entry["en"]]
        chinese = entry["zh"]
        assert isinstance(chinese, str)
        assert chinese.strip(), key
        assert all(text.strip() for text in english), key
        for text in english:
            extra = _fields(text) - _fields(chinese)
            assert not extra, key
        assert _fields(english[-1]) == _fields(chinese), key


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_text_is_used_and_every_used_text_exists() -> None:
    sources = [
        file for file in FOLDER.rglob("*") if file.suffix in (".html", ".js", ".py") and "vendor" not in file.parts
    ]
    everything = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    called = set(re.findall(r"""(?:\bt|say)\((?:language, )?["']([a-z_0-9.]+)["'][,)]""", everything))
    assert called - set(catalog()) == set()
    named = called | set(re.findall(r"""["']([a-z_0-9]+(?:\.[a-z_0-9]+)+)["']""", everything))
    by_value = r"(reason|error|status|stage|problem|login|js\.theme)\.\w+|keys\.(scope|kind)_\w+|search\.\w+_title"
    by_value += r"|documents\.(all|active|live|failed)|search\.(embed|dense_time|lexical_time|rerank_time|total)"
    by_value += r"|(kind|kind_text|field|hint|option|about|value|note|state|queue)\..+|studio\.in_\w+"
    by_value += r"|review\.(all|pending|approved|rejected)|jobs\.(all|waiting|active|succeeded|failed)"
    by_value += r"|(role|rung|reply|reply_state|api|channel)\.\w+|dingtalk\.(quota|outlook|mode)_\w+"
    by_value += r"|prompt_(name|about|state)\.\w+|prompts\.notice_\w+"
    by_value += r"|curated\.(all|live|proposed|retired|notice_\w+)"
    by_value += r"|(channel|step|finish|purpose|feedback|sender)\.\w+|turn\.(status|cached)\.\w+|turn\.(up|down)"
    by_value += r"|source_(kind|state|count)\.\w+"
    by_value += r"|turns\.(all|refused|failed|down|cached)"
    by_value += r"|tuning\.(order|refusals|meaning|characters|codes|document|threshold)"
    by_value += r"|validity\.(scheduled|expired)|diff\.(added|removed|changed)|conflicts\.(open|ignored|resolved)"
    by_value += r"|edit\.\w+|chunk\.(merge|disable|enable|revert)|(original\.none|document\.no_chunks)_\w+"
    by_value += r"|parse\.(active|failed|done|since_\w+|none_\w+)|why\.(verdict|hint)_\w+"
    by_value += r"|dingtalk\.(handoffs|usage|answers|groups|people|curated)"
    assert {key for key in catalog() if key not in named and not re.fullmatch(by_value, key)} == set()


def test_every_reason_and_every_code_a_page_can_meet_has_a_sentence() -> None:
    assert {f"reason.{reason}" for reason in REASONS} <= set(catalog())
    root = FOLDER.parent.parent
    sources = [root / "app/identity", root / "app/console", root / "app/services.py", root / "knowledge"]
    files = [file for source in sources for file in ([source] if source.is_file() else source.rglob("*.py"))]
    codes = {code for file in files for code in re.findall(r'code="([a-z_]+)"', file.read_text(encoding="utf-8"))}
    elsewhere = {
        "setting_missing",
        "setting_invalid",
        "embedding_model_missing",
    }  # raised at start-up, before there is a page
    missing = {code for code in codes - elsewhere if f"error.{code}" not in catalog()}
    assert missing == set()


async def test_the_consoles_files_are_served_and_nothing_beside_them(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, _):
        for name, media_type in (
            ("console.css", "text/css"),
            ("upload.js", "text/javascript"),
            ("icon.svg", "image/svg"),
        ):
            answer = await http.get(f"/console/static/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(media_type)
        for name in ("../texts.json", "..%2ftexts.json", "%2e%2e/guard.py", "vendor", "none.js"):
            assert (await http.get(f"/console/static/{name}")).status_code in (303, 404)


def test_the_vendored_htmx_is_the_published_one() -> None:
    vendor = FOLDER / "static" / "vendor"
    (line,) = [
        line for line in (vendor / "VERSIONS.txt").read_text(encoding="utf-8").splitlines() if "htmx.min.js " in line
    ]
    assert line.split()[-1] == hashlib.sha256((vendor / "htmx.min.js").read_bytes()).hexdigest()
    assert (vendor / "LICENSE-htmx.txt").read_text(encoding="utf-8").startswith("Zero-Clause BSD")
