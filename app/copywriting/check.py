"""Check a copy, wherever it comes from: the fact guard and the banned words together."""

from collections.abc import Collection

from app.copywriting.banned import find_banned
from app.copywriting.evidence import Evidence
from app.copywriting.flags import Flag, of_banned, of_unsupported
from app.copywriting.product import Goods, Product, brand_names, statements


def check_copy(text: str, product: Product | None = None, *, goods: Goods | None = None) -> list[Flag]:
    """Everything doubtful in ``text``, in its order. Without a product only the words are checked.

    ``goods`` is the kind of goods that decides which words are banned; by default the product's.
    """
    flags = banned_flags(text, goods=goods or (product.goods if product else "general"), product=product)
    if product is not None:
        flags += guard_flags(text, Evidence(statements(product)))
    return sorted(flags, key=lambda one: one.start or 0)


def banned_flags(text: str, *, goods: Goods, product: Product | None) -> list[Flag]:
    """The words; a product's brand, model and patents may contain them."""
    allowed = brand_names(product) if product else []
    return [of_banned(hit, text) for hit in find_banned(text, goods=goods, allowed=allowed)]


def guard_flags(
    text: str, evidence: Evidence, cited: Collection[str] | None = None, *, commas: bool = False
) -> list[Flag]:
    """What the facts do not say."""
    return [of_unsupported(problem, text) for problem in evidence.check(text, cited, commas=commas)]
