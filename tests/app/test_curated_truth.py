"""What a curated answer is given for, and what it is not: pairs in Chinese and English, through the chat."""

from pathlib import Path

import pytest

from knowledge.models import DEFAULT_TENANT
from tests.app.curation import Letters, ask, served, write

SAME = [
    ("旗舰店的保证金是多少？", "旗舰店的保证金是多少"),
    ("旗舰店的保证金是多少？", " 旗舰店的保证金是多少? "),
    ("旗舰店的保证金是多少？", "请问旗舰店保证金多少"),
    ("怎么申请退款", "如何申请退款？"),
    ("怎么注册店铺账号", "店铺账号怎么注册"),
    ("满 5 万元包邮吗", "满50000元包邮吗？"),
    ("HB-KT-2048 保修多久", "hbkt2048保修多久？"),
    ("How do I return an item?", "how do i return an item"),
    ("How do I cancel my order?", "How can I cancel my order?"),
]
DIFFERENT = [
    ("旗舰店的保证金是多少？", "专营店的保证金是多少？"),
    ("旗舰店的保证金是多少？", "旗舰店要不要保证金？"),
    ("签收 7 天内可以退货吗", "签收 15 天内可以退货吗"),
    ("哪些商品支持无理由退货", "哪些商品不支持无理由退货"),
    ("HB-KT-2048 保修多久", "HB-KT-2049 保修多久"),
    ("中国到美国的空派时效", "美国到中国的空派时效"),
    ("2025 年的佣金比例是多少", "2026 年的佣金比例是多少"),
    ("怎么开通店铺", "怎么关闭店铺"),
    ("How do I return an item?", "How do I exchange an item?"),
    ("Can I return opened items?", "Can't I return opened items?"),
    ("What is the fee for 10 orders?", "What is the fee for 100 orders?"),
    ("Does the X200 ship to France?", "Does the X300 ship to France?"),
]


@pytest.mark.parametrize(("written", "asked", "same"), [(*p, True) for p in SAME] + [(*p, False) for p in DIFFERENT])
async def test_a_question_gets_the_curated_answer_of_what_it_asks_and_of_nothing_else(
    tmp_path: Path, written: str, asked: str, same: bool
) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await write(http, written, "人工写的。")
        done = await ask(http, asked)
        assert done["curated"] is same
        assert (done["answer"] == "人工写的。") is same


class Unknown(Letters):
    model_id = "another"


async def test_parts_change_places_only_where_the_cosine_is_of_the_known_model(tmp_path: Path) -> None:
    async with served(tmp_path, embedder=Unknown()) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await write(http, "怎么注册店铺账号", "人工写的。")
        assert not (await ask(http, "店铺账号怎么注册"))["curated"]
        assert (await ask(http, "如何注册店铺账号"))["curated"]
