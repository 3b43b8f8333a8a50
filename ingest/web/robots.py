"""What a site asks robots to leave alone: ``robots.txt`` (RFC 9309), kept for an hour.

The standard library's parser takes the first rule that fits and knows no ``*``; sites are written for the longest one.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from knowledge.errors import DocumentRefused

KEPT_SECONDS = 3600
MOST_SITES = 500

# → status and text; 0 where nobody answers.
Ask: TypeAlias = Callable[[str], Awaitable[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Rules:
    """``paths`` are (pattern, whether it allows). ``delay`` is the pause in seconds that the site asks for."""

    paths: Sequence[tuple[str, bool]] = ()
    delay: float = 0.0

    @classmethod
    def parse(cls, text: str, agent: str) -> "Rules":
        """Those for an agent, by the first word of its name; else those for everybody."""
        name = agent.partition("/")[0].strip().partition(" ")[0].lower()
        groups = _groups(text)
        mine = [rules for agents, rules in groups if name in agents]
        chosen = mine or [rules for agents, rules in groups if "*" in agents]
        lines = [line for rules in chosen for line in rules]
        paths = [(_normal(value), key == "allow") for key, value in lines if key != "crawl-delay" and value]
        delays = [
            float(value) for key, value in lines if key == "crawl-delay" and value.replace(".", "", 1).isdecimal()
        ]
        return cls(paths, max(delays, default=0.0))

    def allow(self, url: str) -> bool:
        """The longest pattern that fits decides; of two, the one that allows."""
        parts = urlsplit(url)
        path = _normal(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        fitting = [(len(pattern), allows) for pattern, allows in self.paths if _fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


class Robots:
    """The rules of sites for ``agent``."""

    def __init__(self, agent: str, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._agent = agent
        self._ask = ask
        self._clock = clock
        self._known: dict[str, tuple[float, Rules]] = {}

    async def require(self, url: str) -> float:
        """→ the pause the site asks for. Raises DocumentRefused ``robots_refused`` or ``address_unreachable``."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        until, rules = self._known.get(site, (0.0, Rules()))
        if site not in self._known or until < self._clock():
            rules = await self._rules(site)
            if len(self._known) >= MOST_SITES:
                self._known.clear()
            self._known[site] = (self._clock() + KEPT_SECONDS, rules)
        if not rules.allow(url):
            raise DocumentRefused("robots_refused", "The site’s robots.txt asks not to fetch this page.")
        return rules.delay

    async def _rules(self, site: str) -> Rules:
        """A site without the file allows everything; one that fails to say is asked again another time."""
        status, text = await self._ask(f"{site}/robots.txt")
        if status >= 500 or status == 0:
            raise DocumentRefused("address_unreachable", f"{site} does not say what it allows robots to fetch.")
        return Rules.parse(text, self._agent) if status == 200 else Rules()


def _groups(text: str) -> list[tuple[set[str], list[tuple[str, str]]]]:
    """Agents that stand together, with the lines that are for them."""
    groups: list[tuple[set[str], list[tuple[str, str]]]] = []
    for line in text.lstrip("\ufeff").splitlines():
        key, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if key.lower() == "user-agent":
            if not groups or groups[-1][1]:
                groups.append((set(), []))
            groups[-1][0].add(value.partition("/")[0].lower())
        elif groups and key.lower() in ("allow", "disallow", "crawl-delay"):
            groups[-1][1].append((key.lower(), value))
    return groups


def _normal(path: str) -> str:
    return quote(unquote(path), safe="/?&=*$:;,@!'()+~%")


def _fits(pattern: str, path: str) -> bool:
    """``*`` is anything, a last ``$`` the end. Without regular expressions: whoever writes the file chooses them."""
    whole = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(others):
        last = whole and number == len(others) - 1
        found = len(path) - len(part) if last and path.endswith(part) else -1 if last else path.find(part, at)
        if found < at:
            return False
        at = found + len(part)
    return at == len(path) if whole else True
