"""What a question is about, apart from the words that only ask."""

import re

from knowledge.tokens import fold, terms

_ASKING = re.compile(
    "什么时候|是什么|什么|怎么样|怎样|怎么|多少|哪些|哪个|哪里|哪儿|哪一|哪年|哪|为何|为什么|为啥|如何|几个|是否|请问|何时|何地|何|谁"
    "|吗|呢|啊|是不是|有没有|能不能|可不可以|多久|多长|多大|多高|一下"
    # What only sounds, at the end: 多少钱呀, 怎么退嘛; not in 哈尔滨 or 网吧.
    r"|(?:[啊呀呢哦哈嘛啦哇呗咯哟噢喔]|(?<![网酒贴])吧)(?:[啊呀呢哦哈嘛啦哇呗咯哟噢喔吧]|\W)*$"
)
_EMPTY = """
的 了 是 在 有 和 与 及 或 被 为 以 于 而 也 都 就 还 之 其 这 那 该 本
a an the of to in is are was were be do does did what which who how when where why for on and or it its can i my you
your me we there this that with by
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())
_CHARACTERS = re.compile(r"[㐀-鿿]|[0-9a-z]+")
_ENDS = re.compile(r"[？?；;\n]+|[，,。.]\s*(?:另外|还有|以及|同时|顺便|and also|also)")
_LEAST_PART = 3  # characters or words; 可以吗 and 谢谢 are no questions of their own
_MOST_PARTS = 4
_CODES = re.compile(r"(?<![0-9a-z])[0-9a-z]+(?:[-_.][0-9a-z]+)*(?![0-9a-z])")
_LONGEST = 500  # characters; what comes later in a question is a pasted text


def content_terms(question: str) -> list[str]:
    """Its terms without those that only ask (什么, 多少, how) or only join, each once, in order."""
    return [term for term in dict.fromkeys(terms(_unasked(question))) if term not in _EMPTY_WORDS]


def telling_terms(question: str) -> list[str]:
    """The same without pairs of which one character only joins: of 店铺的押金 not 铺的 and 的押."""
    return [term for term in content_terms(question) if term.isascii() or _EMPTY_WORDS.isdisjoint(term)]


def content_characters(question: str) -> list[str]:
    """The same in Chinese characters and Latin words or numbers."""
    return [found for found in dict.fromkeys(_CHARACTERS.findall(_unasked(question))) if found not in _EMPTY_WORDS]


def characters(text: str) -> frozenset[str]:
    """The Chinese characters and Latin words or numbers of any text."""
    return frozenset(_CHARACTERS.findall(fold(text)))


def codes_of(question: str) -> list[str]:
    """What has digits and letters, or digits and separators (HB-KT-2048, S077, 5G), folded, each once, in order."""
    found = dict.fromkeys(_CODES.findall(fold(question[:_LONGEST])))
    return [code for code in found if any(map(str.isdigit, code)) and not code.isdigit()]


def parts_of(question: str) -> list[str]:
    """The questions that are asked at once (运费谁出？多久到账？), if there are several; four at most."""
    parts = [part.strip() for part in _ENDS.split(question[:_LONGEST])]
    asking = [part for part in parts if len(content_characters(part)) >= _LEAST_PART]
    return asking[:_MOST_PARTS] if len(asking) > 1 else []


def without_topic(question: str, said: str) -> str:
    """The question without the longest string it shares with ``said``: of 猴面包树的别名是什么 stays 别名是什么."""
    asked, text = fold(question[:_LONGEST]), fold(said)
    longest = ""
    for start in range(len(asked)):
        end = start + len(longest) + 1
        while end <= len(asked) and asked[start:end] in text:
            longest = asked[start:end]
            end += 1
    rest = asked.replace(longest, "", 1).strip(" ,，的")
    return rest if len(longest) >= 2 and len(rest) >= 3 else asked


def _unasked(question: str) -> str:
    return _ASKING.sub(" ", fold(question[:_LONGEST]))
