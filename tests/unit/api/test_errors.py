from __future__ import annotations

from collections.abc import Iterator

import pytest

from abaci import errors
from abaci.api.errors import TABLE, problem_of
from abaci.client import error_of
from abaci.traces.codec import to_json


def classes(kind: type[errors.AbaciError] = errors.AbaciError) -> Iterator[type[errors.AbaciError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from classes(below)


PUBLIC = [kind for kind in classes() if kind.__module__ == "abaci.errors"]
MADE = {
    errors.InvalidInput: errors.InvalidInput("too short", field="question"),
    errors.ContextLengthExceeded: errors.ContextLengthExceeded(10, 5),
    errors.RunNotFound: errors.RunNotFound("run_1"),
}


def test_the_table_lists_classes_of_the_error_tree_only() -> None:
    assert set(TABLE) <= set(PUBLIC)


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_error_crosses_http_and_comes_back_as_it_was(kind: type[errors.AbaciError]) -> None:
    sent = MADE.get(kind) or kind("it broke")
    problem = problem_of(sent)
    assert 400 <= problem.status < 600
    received = error_of(problem.status, to_json(problem))
    assert type(received) is kind
    assert (str(received), vars(received)) == (str(sent), vars(sent))


def test_a_class_that_is_not_listed_counts_as_its_nearest_base() -> None:
    class OddSandboxBusy(errors.SandboxBusy):
        pass

    problem = problem_of(OddSandboxBusy("wait"))
    assert (problem.status, problem.type) == (503, "urn:abaci:OddSandboxBusy")


def test_attributes_of_an_error_are_members_of_its_problem() -> None:
    problem = problem_of(errors.ContextLengthExceeded(10, 5))
    assert problem.model_extra == {"prompt_tokens": 10, "context_length": 5}
    assert problem.status == 422


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, "oops", errors.BackendUnavailable),
        (429, "", errors.BackendUnavailable),
        (404, "[1]", errors.BackendRejected),
        (413, '{"type": "about:blank", "detail": "too big"}', errors.BackendRejected),
        (500, '{"type": "urn:abaci:Unheard", "detail": "new"}', errors.BackendUnavailable),
        (422, '{"type": "urn:abaci:ContextLengthExceeded"}', errors.ContextLengthExceeded),
        (500, '{"type": 3}', errors.BackendUnavailable),
    ],
)
def test_an_answer_that_tells_of_no_error_of_ours_is_judged_by_its_status(
    status: int, body: str, kind: type[errors.AbaciError]
) -> None:
    assert type(error_of(status, body)) is kind
