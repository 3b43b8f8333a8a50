"""Groups: what is answered there, from what, and where questions are handed to."""

import asyncio

import pytest

from app.channels.groups import Binding, Group, Groups
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.errors import InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT

CHANNEL = "dingtalk"


@pytest.fixture
def groups(database: Database, catalog: Catalog) -> Groups:
    return Groups(database, catalog)


async def seen(groups: Groups, group_id: str = "cid==", title: str = "客服群", tenant: str = DEFAULT_TENANT) -> Group:
    return await groups.seen(CHANNEL, group_id, tenant=tenant, organisation="corp", title=title)


async def test_a_group_is_known_after_its_first_message_by_its_title_of_today(groups: Groups) -> None:
    assert await groups.scope(CHANNEL, "cid==") == Binding(None)
    first = await seen(groups)
    assert (first.title, first.purpose, first.knowledge_bases) == ("客服群", "answers", None)
    assert await seen(groups) == first
    assert (await seen(groups, title="售后群")).title == "售后群"
    assert (await seen(groups, title="")).title == "售后群"
    assert [group.group_id for group in await groups.list(DEFAULT_TENANT)] == ["cid=="]
    assert await groups.list("other") == []


async def test_first_messages_at_the_same_moment_make_one_group(groups: Groups) -> None:
    found = await asyncio.gather(*(seen(groups) for _ in range(8)))
    assert len({group.group_id for group in found}) == 1
    assert len(await groups.list(DEFAULT_TENANT)) == 1


async def test_a_bound_group_is_answered_from_what_it_is_bound_to_until_it_is_unbound(groups: Groups) -> None:
    await seen(groups)
    bound = await groups.bind(DEFAULT_TENANT, CHANNEL, "cid==", ["shop", "shop"], by="u1")
    assert (bound.knowledge_bases, bound.changed_by) == (("shop",), "u1")
    assert await groups.scope(CHANNEL, "cid==") == Binding(("shop",))
    await seen(groups, title="售后群")
    assert await groups.scope(CHANNEL, "cid==") == Binding(("shop",))
    assert (await groups.unbind(DEFAULT_TENANT, CHANNEL, "cid==", by="u1")).knowledge_bases is None
    assert await groups.scope(CHANNEL, "cid==") == Binding(None)


async def test_a_group_can_not_be_bound_to_what_is_not_there(groups: Groups) -> None:
    await seen(groups)
    with pytest.raises(NotFound) as unknown:
        await groups.bind(DEFAULT_TENANT, CHANNEL, "cid==", ["shop", "none"], by="u1")
    assert unknown.value.error_code == "knowledge_base_not_found"
    with pytest.raises(InvalidInput):
        await groups.bind(DEFAULT_TENANT, CHANNEL, "cid==", [], by="u1")
    for tenant, group_id in ((DEFAULT_TENANT, "nowhere"), ("other", "cid==")):
        with pytest.raises(NotFound) as stranger:
            await groups.unbind(tenant, CHANNEL, group_id, by="u1")
        assert stranger.value.error_code == "group_not_found"
    assert await groups.scope(CHANNEL, "cid==") == Binding(None)


async def test_a_deleted_knowledge_base_never_widens_a_group(groups: Groups, catalog: Catalog) -> None:
    await seen(groups)
    await groups.bind(DEFAULT_TENANT, CHANNEL, "cid==", ["shop", "rules"], by="u1")
    await catalog.delete_knowledge_base(DEFAULT_TENANT, "rules")
    assert await groups.scope(CHANNEL, "cid==") == Binding(("shop",))
    await catalog.delete_knowledge_base(DEFAULT_TENANT, "shop")
    assert await groups.scope(CHANNEL, "cid==") == Binding(("shop", "rules"))


async def test_questions_are_handed_to_one_group_the_last_that_was_named(groups: Groups) -> None:
    await seen(groups)
    await seen(groups, "cid2", "运营群")
    assert await groups.operators(DEFAULT_TENANT) is None
    await groups.set_operators(DEFAULT_TENANT, CHANNEL, "cid==", by="u1")
    named = await groups.set_operators(DEFAULT_TENANT, CHANNEL, "cid2", by="u1")
    assert named == await groups.operators(DEFAULT_TENANT)
    assert named.group_id == "cid2"
    assert [group.purpose for group in await groups.list(DEFAULT_TENANT)] == ["answers", "operators"]
    with pytest.raises(NotFound):
        await groups.set_operators("other", CHANNEL, "cid==", by="u1")
    await groups.clear_operators(DEFAULT_TENANT, by="u1")
    assert await groups.operators(DEFAULT_TENANT) is None


async def test_a_group_of_an_organisation_that_went_to_another_tenant_starts_anew(groups: Groups) -> None:
    await seen(groups)
    await groups.bind(DEFAULT_TENANT, CHANNEL, "cid==", ["shop"], by="u1")
    await groups.set_operators(DEFAULT_TENANT, CHANNEL, "cid==", by="u1")
    moved = await seen(groups, tenant="other")
    assert (moved.tenant, moved.knowledge_bases, moved.purpose) == ("other", None, "answers")
    assert await groups.operators("other") is None
