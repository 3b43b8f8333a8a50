"""robots.txt as RFC 9309 has it."""

import pytest

from ingest.web.robots import Rules

AGENT = "MerchantCopilot/0.1"


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /\nAllow: /help", "/help/a", True),  # the longest decides, not the first
        ("User-agent: *\nDisallow: /\nAllow: /help", "/shop", False),
        ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/a.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/a.pdf?v=1", True),
        ("User-agent: *\nDisallow: /*?sort=", "/list?sort=price", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a1b2c3", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a1c2b3", True),
        ("User-agent: *\nDisallow: /end$", "/end", False),
        ("User-agent: *\nDisallow: /end$", "/ending", True),
        ("User-agent: *\nDisallow: /退货", "/%E9%80%80%E8%B4%A7/a", False),
        ("User-agent: merchantcopilot\nAllow: /\n\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: other\nUser-agent: MerchantCopilot\nDisallow: /a\n\nUser-agent: *\nAllow: /", "/a", False),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("\ufeffUSER-AGENT: * # all\r\ndisallow: /a # this", "/a", False),
        ("Disallow: /a\nUser-agent: *\nnonsense", "/a", True),
    ],
)
def test_the_longest_rule_for_us_decides(text: str, path: str, allowed: bool) -> None:
    assert Rules.parse(text, AGENT).allow(f"https://a.example{path}") is allowed


def test_the_pause_that_a_site_asks_for_is_known() -> None:
    assert Rules.parse("User-agent: *\nCrawl-delay: 2.5\nDisallow: /x", AGENT).delay == 2.5
    assert Rules.parse("User-agent: *\nCrawl-delay: soon", AGENT).delay == 0
