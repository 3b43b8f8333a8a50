"""An endpoint's likes and dislikes are learnt from what it refuses."""

from app.llm.dialect import Dialect
from app.llm.ports import ModelBadRequest


def refused(words: str, code: str = "model_bad_request") -> ModelBadRequest:
    error = ModelBadRequest("Refused.", code=code)
    error.detail = words
    return error


def request(dialect: Dialect) -> dict[str, object]:
    return dialect.request(temperature=0.2, max_tokens=9)


def test_a_first_request_asks_for_usage_and_leaves_out_what_is_not_set() -> None:
    assert Dialect().request(temperature=0.2, max_tokens=None) == {
        "temperature": 0.2,
        "stream_options": {"include_usage": True},
    }


def test_reasoning_models_get_their_own_name_for_the_limit_and_no_temperature() -> None:
    dialect = Dialect()
    wanted = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."

    assert dialect.learn(refused(wanted), request(dialect))
    assert dialect.learn(refused("'temperature' does not support 0.2 with this model."), request(dialect))

    assert request(dialect) == {"max_completion_tokens": 9, "stream_options": {"include_usage": True}}


def test_what_is_learnt_once_is_not_learnt_again() -> None:
    dialect = Dialect()
    words = refused("Unknown field: stream_options")

    assert dialect.learn(words, request(dialect))
    assert not dialect.learn(words, request(dialect))


def test_a_refusal_without_a_name_is_tried_once_without_the_options() -> None:
    dialect = Dialect()

    assert dialect.learn(refused("Extra inputs are not permitted"), request(dialect))
    assert "stream_options" not in request(dialect)
    dialect.accepted()
    assert "stream_options" not in request(dialect)


def test_a_wrong_guess_is_taken_back() -> None:
    dialect = Dialect()

    assert dialect.learn(refused("Bad image"), request(dialect))
    assert not dialect.learn(refused("Bad image"), request(dialect))
    assert "stream_options" in request(dialect)


def test_nothing_is_guessed_once_the_options_are_known_to_work() -> None:
    dialect = Dialect()
    request(dialect)
    dialect.accepted()

    assert not dialect.learn(refused("Bad image"), request(dialect))


def test_nothing_is_guessed_about_a_prompt_that_is_too_long() -> None:
    dialect = Dialect()
    assert not dialect.learn(refused("too long", "model_prompt_too_long"), request(dialect))
