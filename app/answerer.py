"""Who writes answers, by the settings: the configured models as one, or quotes where there is none."""

from app.chat import prompts
from app.chat.answerers import Answerer, ExtractiveAnswerer, ModelAnswerer
from app.chat.prompt_examples import Examples
from app.chat.prompt_versions import Prompts
from app.llm.budget import TokenBudget
from app.llm.fallback import FallbackModel
from app.llm.ports import ChatModel, Endpoint, Price
from app.llm.tokens import TokenCounter
from app.settings import ModelEndpoint, Settings
from knowledge.database import Database
from knowledge.ports import Embedder

CALIBRATED_MODEL = "multilingual-e5-small"  # whose cosines knowledge.answerability was fitted on


def make_answerer(settings: Settings, embedder: Embedder, counter: TokenCounter) -> Answerer:
    """Raises InvalidInput ``setting_missing`` when a model is configured by half."""
    model = make_model(settings)
    if model is None:
        return ExtractiveAnswerer(embedder if embedder.model_id.startswith(CALIBRATED_MODEL) else None)
    # The smallest counts, so that any of them can take over with the same evidence.
    contexts = [each.context for each in (settings.first_model, *settings.model_fallbacks) if each and each.context]
    return ModelAnswerer(
        model,
        prompts.load("answer", think=settings.model_think),
        temperature=settings.model_temperature,
        max_tokens=settings.model_max_tokens,
        budget=TokenBudget(min(contexts), counter, model.name) if contexts else None,
    )


def make_model(settings: Settings) -> ChatModel | None:
    """The configured language models as one. Raises InvalidInput ``setting_missing``: configured by half."""
    first = settings.first_model
    if first is None:
        return None
    return FallbackModel([_place(settings, each) for each in (first, *settings.model_fallbacks)])


def _place(settings: Settings, given: ModelEndpoint) -> tuple[Endpoint, ChatModel]:
    from app.llm.openai import OpenAIChatModel

    price = given.price or settings.prices.models.get(given.model)
    endpoint = Endpoint(
        given.name,
        given.model,
        context=given.context,
        max_tokens=given.max_tokens,
        tools=given.tools,
        price=Price(price.input, price.output) if price else None,
    )
    model = OpenAIChatModel(
        given.base_url,
        given.api_key.get_secret_value() if given.api_key else "",
        given.model,
        connect_timeout=given.connect_timeout or settings.model_connect_timeout,
        first_token_timeout=given.first_token_timeout or settings.model_first_token_timeout,
        between_tokens_timeout=given.between_tokens_timeout or settings.model_between_tokens_timeout,
        max_retries=settings.model_retries if given.retries is None else given.retries,
    )
    return endpoint, model


def make_prompts(settings: Settings, database: Database, answerer: Answerer, examples: Examples) -> Prompts:
    """The shipped answer template is the one that the answerer brings along."""
    shipped = prompts.shipped(think=settings.model_think)
    if isinstance(answerer, ModelAnswerer):
        shipped = shipped.having({"answer": answerer.template})
    return Prompts(database, shipped, examples, think=settings.model_think)
