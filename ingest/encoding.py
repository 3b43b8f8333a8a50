"""Bytes → text, also where nobody says which encoding it is.

Cheap exact checks first (marks, zero bytes, strict UTF-8); then every likely encoding is tried and the reading with
the most plausible characters wins. That decides texts of two or three characters, where statistics over byte pairs
have nothing to count; charset-normalizer is asked only when no reading is plausible.
"""

import codecs
import re
from dataclasses import dataclass
from functools import cache

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = ("gb18030", "cp950", "cp932", "cp949", "cp1252", "utf-16-le", "utf-16-be")
_SAMPLE = 64 * 1024  # bytes looked at; more does not change the ranking
_PLAUSIBLE = 0.3  # mean weight below which no reading is trusted; random bytes reach 0.1
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HANZI = re.compile("[\u4e00-\u9fff]")
_KANA = re.compile("[\u3041-\u30ff]")
_ODD = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffd\ue000-\uf8ff]")
# what is declared is often the smaller, older name of the set really used
_LARGER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
}

# The commonest characters of Chinese prose and trade, simplified, then traditional and Japanese forms: a handful of
# them is what a true reading has and a false one has not.
_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多"
    "经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明"
    "性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世"
    "位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量"
    "再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完"
    "设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运号价格商店铺货退换款单订购买卖"
    "费税收件快递物流仓库标签图片尺寸颜详描述搜索支付客户服投诉包装质检验证申请审核操作步骤选择点击页面按钮链接上传下载编辑"
    "删除添版说明注意事项联系默认邮箱手机登录注册密码账户店名称元天小时分钟周年"
    "這個們來為說國時會對過後發學開無進與動關長問現實經種應機業產電當從員樣見聽書話務價買賣貨單運費換請訂購網頁圖顏質優規則條"
    "碼帳號東車門馬語讀寫體點錢兩萬聯繫總數據標準認證導內容傳輸選擇區處還歡迎詳細資訊臺灣顧戶服務壞們給繼續結樓層氣場讓變際"
    "齢氏番所佐藤鈴木京県様円込済価税売買駅図説読検索黒発東図楽"
)
_COMMON_HANGUL = frozenset("이다는을를에가의한하고지로도서기사은인자리어시정수대그일구보제상주장나전부있것들해면여")
_PUNCTUATION = frozenset("，。、；：？！“”‘’（）《》【】「」『』—…·～￥％　－／＋＝＊＃＆〈〉〔〕")
_ACCENTED = frozenset("äöüßÄÖÜéèàçêåøæñ")
_TYPOGRAPHIC = frozenset("‘’“”–—•…€£©®™°§«»¿¡½²³·")


@dataclass(frozen=True, slots=True)
class Decoded:
    """``certain`` is false where the bytes say nothing and the most plausible reading was taken."""

    text: str
    encoding: str
    certain: bool = True


def decode(data: bytes, *, declared: str | None = None) -> Decoded:
    """Read ``data`` as text. ``declared`` is what the file or its envelope claims; it is believed if it fits."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Decoded(data.decode(name, errors="replace").lstrip("\ufeff"), name)
    if b"\0" in data[:_SAMPLE] and (wide := _wide_with_zeros(data[:_SAMPLE])):
        return Decoded(data.decode(wide, errors="replace"), wide)
    if (text := _strict(data, "utf-8")) is not None and not _short_gbk(data, text):
        escaped = "iso2022_jp" if "\x1b$" in text else None
        return Decoded(text, "utf-8") if escaped is None else Decoded(data.decode(escaped, "replace"), escaped)
    if (text := _nearly_utf8(data)) is not None:
        return Decoded(text, "utf-8", certain=False)
    return _declared(data, declared) or _guess(data)


def is_text(data: bytes) -> bool:
    """Whether these bytes are text in some encoding. Looks at the first 64 KiB."""
    sample = data[:_SAMPLE]
    if any(sample.startswith(mark) for mark, _ in _MARKS):
        return True
    if b"\0" in sample:
        return _wide_with_zeros(sample) is not None
    return len(_CONTROL.findall(sample)) * 200 <= len(sample)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _short_gbk(data: bytes, text: str) -> bool:
    """A few Chinese words in GBK can happen to be valid UTF-8 (联通); as UTF-8 they make no sense."""
    if len(data) > 200 or data.isascii() or max(text) >= "\u0800" or _mean_weight(text) >= _PLAUSIBLE:
        return False
    return _score(data, "gb18030") >= 0.7


def _nearly_utf8(data: bytes) -> str | None:
    """A long UTF-8 text with a few broken bytes, or one cut in the middle of a character."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    multibyte = (len(data) - len(text)) // 2
    return text if broken * 50 <= multibyte else None


def _wide_with_zeros(sample: bytes) -> str | None:
    """UTF-16 (or 32) without a mark: the zero bytes of its ASCII characters stand at one end of each unit."""
    sample = sample[: len(sample) // 4 * 4]
    zeros = [sample[start::4].count(0) for start in range(4)]
    quarter = max(len(sample) // 4, 1)
    if zeros[2] + zeros[3] >= 1.9 * quarter and zeros[0] < quarter // 2:
        return "utf-32-le"
    if zeros[0] + zeros[1] >= 1.9 * quarter and zeros[3] < quarter // 2:
        return "utf-32-be"
    high_last, high_first = zeros[1] + zeros[3], zeros[0] + zeros[2]
    encoding = "utf-16-le" if high_last > high_first else "utf-16-be"
    text = sample.decode(encoding, errors="replace")
    odd = len(_ODD.findall(text))
    return encoding if text and odd * 20 <= len(text) and _mean_weight(text, wide=True) >= _PLAUSIBLE else None


def _declared(data: bytes, declared: str | None) -> Decoded | None:
    name = (declared or "").strip().strip("\"'").lower()
    name = _LARGER.get(name, name)
    try:
        text = data.decode(name) if name else None
    except (LookupError, UnicodeError):
        return None
    return Decoded(text, name) if text is not None and _mean_weight(text[:_SAMPLE]) >= _PLAUSIBLE else None


def _guess(data: bytes) -> Decoded:
    sample = data[:_SAMPLE]
    best = max(_CANDIDATES, key=lambda name: _score(sample, name))
    if _score(sample, best) < _PLAUSIBLE:
        best = _statistical(sample) or "cp1252"
    return Decoded(data.decode(best, errors="replace"), best, certain=False)


def _statistical(sample: bytes) -> str | None:
    if len(sample) < 16:  # too little to count
        return None
    from charset_normalizer import from_bytes

    match = from_bytes(sample).best()
    return match.encoding if match else None


def _score(sample: bytes, encoding: str) -> float:
    wide = encoding.startswith("utf-16")
    if wide and len(sample) % 2 and len(sample) < _SAMPLE:
        return 0.0
    return _mean_weight(sample.decode(encoding, errors="replace"), wide=wide)


def _mean_weight(text: str, *, wide: bool = False) -> float:
    """Mean plausibility of the characters beyond ASCII; with ``wide``, of all of them.

    A text that is ASCII throughout is plausible (0.6): nothing speaks against it.
    """
    total, count = 0.0, 0
    for index, char in enumerate(text):
        if char < "\x80":
            if wide:
                total, count = total + (0.6 if char >= " " or char in "\t\r\n" else -1.0), count + 1
            continue
        count += 1
        total += _weight(char, text[index - 1 : index] + text[index + 1 : index + 2])
    return total / count if count else 0.6


def _weight(char: str, beside: str) -> float:  # noqa: PLR0911 - one line a script reads better than a table of ranges
    if char in _COMMON or char in _PUNCTUATION:
        return 1.0
    if "\u4e00" <= char <= "\u9fff":
        return 0.5 if char in _frequent() else 0.05
    if "\u3041" <= char <= "\u30ff":
        return 0.9 if _KANA.search(beside) else 0.3  # Japanese has them in rows, misread Chinese one at a time
    if "\uac00" <= char <= "\ud7a3":
        return 0.9 if char in _COMMON_HANGUL else 0.3
    if char.isalpha() and char < "\u0250":
        # an accented letter stands in a word of plain ones or alone; in a row they are a misread double-byte text
        if re.search("[a-zA-Z]", beside):
            return 0.7
        return 0.35 if beside.isascii() or char in _ACCENTED else 0.05
    if char in _TYPOGRAPHIC:
        return 0.6 if beside.isascii() else 0.1
    if "\uff01" <= char <= "\uff5e" or "\u2460" <= char <= "\u24ff":
        return 0.7
    return -1.0 if char == "\ufffd" or "\ue000" <= char <= "\uf8ff" or char < "\xa0" else 0.05


@cache
def _frequent() -> frozenset[str]:
    """The first planes of GB 2312 (3,755), Big5 (5,401) and JIS X 0208 (2,965): each standard's everyday characters."""
    found: set[str] = set()
    for encoding, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x97)):
        for lead in range(first, last + 1):
            row = b"".join(bytes((lead, trail)) for trail in range(0x40, 0xFF))
            pairs = (row[at : at + 2].decode(encoding, errors="ignore") for at in range(0, len(row), 2))
            found.update(char for char in pairs if _HANZI.fullmatch(char))
    return frozenset(found)
