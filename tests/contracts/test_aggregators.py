"""The aggregation contract, over every implementation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judges import by_content, judge_of

from abaci.aggregation.base import Aggregator, Progress, conclude
from abaci.aggregation.buckets import bucket_trajectories, equal_text
from abaci.aggregation.config import (
    AdaptiveConfig,
    AggregatorConfig,
    AorConfig,
    AtomicConfig,
    BetaRule,
    GenSelectConfig,
    SelfConsistencyConfig,
    SupermajorityRule,
    TfidfEmbedderConfig,
    UniversalConfig,
    WindowRule,
)
from abaci.app import make_aggregator
from abaci.backend.scripted import Script, ScriptedReply
from abaci.errors import BackendRejected, BackendUnavailable, ContextLengthExceeded
from abaci.types import Answer, Decided, Problem, Rationale, SampleMore, StopReason, Trajectory

PROBLEM = Problem(question="What?")
VOTES = st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=1, max_size=8)
Votes = Sequence[str | None]

EXACT: dict[str, AggregatorConfig] = {
    "self_consistency": SelfConsistencyConfig(),
    "self_consistency, at least a half": SelfConsistencyConfig(min_share=0.5),
    "self_consistency, unanimous": SelfConsistencyConfig(min_share=1.0),
    "self_consistency, by logprob": SelfConsistencyConfig(weight="logprob"),
    "self_consistency, by tail entropy": SelfConsistencyConfig(weight="tail_entropy", min_share=0.4),
    "self_consistency, by reward": SelfConsistencyConfig(weight="reward"),
}
"""Cancel only chains that cannot change the answer."""

ADAPTIVE: dict[str, AggregatorConfig] = {
    "adaptive, beta": AdaptiveConfig(),
    "adaptive, beta in steps": AdaptiveConfig(rule=BetaRule(confidence=0.8, step=3)),
    "adaptive, windows": AdaptiveConfig(rule=WindowRule(size=2)),
    "adaptive, supermajority": AdaptiveConfig(rule=SupermajorityRule()),
}

JUDGED: dict[str, AggregatorConfig] = {
    "aor": AorConfig(),
    "aor, lenient": AorConfig(min_score=2.0, batch=2, representatives=2),
    "universal": UniversalConfig(),
    "genselect": GenSelectConfig(),
    "genselect, tournament": GenSelectConfig(window=2, selections=2),
    "atomic": AtomicConfig(),
    "aor, then atomic": AtomicConfig(answer=AorConfig()),
    "adaptive genselect": AdaptiveConfig(answer=GenSelectConfig()),
    "adaptive aor": AdaptiveConfig(rule=SupermajorityRule(), answer=AorConfig()),
    "adaptive aor, then atomic": AdaptiveConfig(rule=WindowRule(size=2), answer=AtomicConfig(answer=AorConfig())),
    "adaptive universal": AdaptiveConfig(answer=UniversalConfig()),
}

CONFIGS = {**EXACT, **ADAPTIVE, **JUDGED}


def make(config: AggregatorConfig, script: Script = by_content) -> Aggregator:
    return make_aggregator(config, equal_text, judge_of(script)[0], TfidfEmbedderConfig())


# Aggregators keep no state, so examples may share one; how long a busy machine takes for them says nothing.
per_example = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(params=CONFIGS)
def aggregator(request: pytest.FixtureRequest) -> Aggregator:
    return make(CONFIGS[request.param])


def chains(votes: Votes, period: int | None = None) -> list[Trajectory]:
    """A chain a vote; what it says and how likely it is differ, and repeat after `period` chains."""
    return [make_chain(index, vote, index % (period or len(votes) or 1)) for index, vote in enumerate(votes)]


def make_chain(index: int, vote: str | None, variant: int) -> Trajectory:
    return Trajectory(
        chain=index,
        steps=(Rationale(text=f"I thought of it in way number {variant % 3}. So I say {vote}."),),
        answer=None if vote is None else Answer(raw=vote, canonical=vote),
        stop_reason=StopReason.ANSWER,
        mean_logprob=None if variant % 4 == 3 else -0.1 * (variant + 1),
        tail_entropy=None if variant % 4 == 2 else 0.3 * (variant + 1),
        reward=None if variant % 4 == 1 else 2.0 - variant,
    )


async def decide(
    aggregator: Aggregator, trajectories: Sequence[Trajectory], remaining: int = 0
) -> Decided | SampleMore:
    count = len(trajectories)
    progress = Progress(finished=count, started=count, remaining=remaining)
    return await conclude(aggregator, PROBLEM, trajectories, progress)


@given(votes=VOTES, random=st.randoms(use_true_random=False))
@per_example
async def test_the_order_of_chains_never_changes_a_decision(aggregator: Aggregator, votes: Votes, random) -> None:
    ordered = chains(votes)
    shuffled = list(ordered)
    random.shuffle(shuffled)
    assert await decide(aggregator, ordered) == await decide(aggregator, shuffled)


@given(votes=VOTES)
@per_example
async def test_doubling_every_chain_changes_no_answer(aggregator: Aggregator, votes: Votes) -> None:
    once, twice = (
        await decide(aggregator, chains(votes)),
        await decide(aggregator, chains([*votes, *votes], len(votes))),
    )
    assert (once.answer, once.explanation) == (twice.answer, twice.explanation)
    assert once.confidence == pytest.approx(twice.confidence)
    assert [bucket.answer for bucket in once.buckets] == [bucket.answer for bucket in twice.buckets]


@given(votes=VOTES, remaining=st.integers(1, 30))
@per_example
async def test_doubling_every_chain_undoes_no_decision_and_changes_no_wish_for_more_but_to_one(
    aggregator: Aggregator, votes: Votes, remaining: int
) -> None:
    once = await decide(aggregator, chains(votes), remaining)
    twice = await decide(aggregator, chains([*votes, *votes], len(votes)), remaining)
    # Twice the evidence may be enough where one was not; what was decided stays so, whatever the budget allows.
    if isinstance(once, Decided):
        assert isinstance(twice, Decided)
        assert (once.answer, once.explanation) == (twice.answer, twice.explanation)
        assert once.confidence == pytest.approx(twice.confidence)
    elif isinstance(twice, SampleMore):
        assert [bucket.answer for bucket in once.buckets] == [bucket.answer for bucket in twice.buckets]


@given(votes=VOTES)
@per_example
async def test_it_never_wants_more_than_nothing_when_nothing_remains(aggregator: Aggregator, votes: Votes) -> None:
    assert isinstance(await decide(aggregator, chains(votes)), Decided)


def silent_chains(start: int, count: int) -> list[Trajectory]:
    return [make_chain(start + index, None, index) for index in range(count)]


@given(votes=VOTES, silent=st.integers(0, 5))
@per_example
async def test_chains_without_an_answer_never_change_the_vote(
    aggregator: Aggregator, votes: Votes, silent: int
) -> None:
    plain, padded = (
        await decide(aggregator, chains(votes)),
        await decide(aggregator, [*chains(votes), *silent_chains(len(votes), silent)]),
    )
    assert (plain.answer, plain.confidence, plain.buckets) == (padded.answer, padded.confidence, padded.buckets)


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_with_no_answer_at_all_it_abstains_and_says_why(aggregator: Aggregator, count: int) -> None:
    decided = await decide(aggregator, chains([None] * count))
    assert isinstance(decided, Decided)
    assert decided.answer is None
    assert decided.confidence == 0.0
    assert decided.reason


@given(votes=VOTES)
@per_example
async def test_an_answer_is_one_that_some_chain_gave_and_the_confidence_its_share(
    aggregator: Aggregator, votes: Votes
) -> None:
    decided = await decide(aggregator, chains(votes))
    if decided.answer is not None:
        winner = next(bucket for bucket in decided.buckets if bucket.answer == decided.answer)
        assert decided.confidence == winner.share
        assert decided.answer.raw in votes


@pytest.mark.parametrize("name", EXACT)
@given(votes=VOTES, rest=VOTES)
@per_example
async def test_once_settled_no_remaining_chain_can_change_the_answer(name: str, votes: Votes, rest: Votes) -> None:
    # The chains still running may be earlier ones: they get the low indices, which win ties.
    aggregator = make(EXACT[name])
    everyone = chains([*rest, *votes])
    finished = everyone[len(rest) :]
    buckets = await bucket_trajectories(finished, equal_text)
    progress = Progress(finished=len(finished), started=len(everyone), remaining=0)
    if aggregator.is_settled(buckets, progress):
        early, late = await decide(aggregator, finished), await decide(aggregator, everyone)
        assert early.answer == late.answer


@pytest.mark.parametrize("name", JUDGED)
@given(
    votes=VOTES,
    reply=st.one_of(
        st.text(max_size=40),
        st.sampled_from([
            '{"scores": {"1": 10}}', '{"scores": {"1": "10", "2": true}}', '{"scores": {"1": NaN, "2": 1e999}}',
            '{"scores": [1, 2]}', '{"scores": null}', '{"scores": {"1": 11, "2": -1}}', '{"choice": 0}',
            '{"choice": 99}', '{"choice": "two"}', '{"choice": true}', '{"choice": 1.5}', "{" * 5000, "[" * 5000,
            '{"a":' * 3000, '{"choice": ' + "9" * 9000 + "}", '{"choice": "\\ud800"}', "\ud800", "\x00", "\\boxed{",
            '{"scores": {"1": {"scores": {"1": 9}}}}', '{"choice": [1]}', '{"choice": "١"}', "\\boxed{zzz}",
        ]),
        st.just(ScriptedReply(error=BackendRejected("no"))),
        st.just(ScriptedReply(error=BackendUnavailable("down"))),
        st.just(ScriptedReply(error=ContextLengthExceeded(9000, 512))),
        st.just(ScriptedReply(text='{"choice": 1}', drop_after_chars=3)),
    ),
)  # fmt: skip
@per_example
async def test_a_judge_that_cannot_be_used_never_raises_nor_invents_an_answer(
    name: str, votes: Votes, reply: str | ScriptedReply
) -> None:
    decided = await decide(make(JUDGED[name], lambda _: reply), chains(votes))
    assert isinstance(decided, Decided)
    assert Decided.model_validate_json(decided.model_dump_json()) == decided
    assert (decided.answer is None) == all(vote is None for vote in votes)
    assert decided.answer is None or decided.answer.raw in votes


def test_nothing_is_settled_before_the_first_vote(aggregator: Aggregator) -> None:
    assert not aggregator.is_settled((), Progress(finished=0, started=8, remaining=0))


def test_it_starts_with_the_whole_budget_or_a_number_of_chains(aggregator: Aggregator) -> None:
    assert aggregator.first_samples is None or aggregator.first_samples >= 1
