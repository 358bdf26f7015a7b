"""How chains are merged, as configuration: one frozen model a method, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from abaci.types import Value

USUAL_SAMPLES = 8
"""Chains to draw at most where the budget says nothing and the method has no figure of its own."""


class JudgeLimits(Value):
    """How a judge is asked.

    A reply that cannot be used is asked for again, `attempts` times in all; then the method does without it.
    `max_tokens` and `timeout_s` (seconds) bound one call.
    """

    attempts: int = Field(default=3, ge=1, le=10)
    temperature: float = Field(default=0.0, ge=0.0, le=5.0)
    max_tokens: int = Field(default=1024, ge=16)
    timeout_s: float = Field(default=120.0, gt=0.0)


class SelfConsistencyConfig(Value):
    """Majority vote; abstains below `min_share` of the answered chains.

    `weight` says what a chain's vote counts: one, its mean token probability, its certainty over its last tokens, or
    the probability that an external reward model gives it.
    """

    kind: Literal["self_consistency"] = "self_consistency"
    min_share: float = Field(default=0.0, ge=0.0, le=1.0)
    weight: Literal["one", "logprob", "tail_entropy", "reward"] = "one"
    max_samples: ClassVar[int] = USUAL_SAMPLES
    needs_judge: ClassVar[bool] = False

    @property
    def needs_logprobs(self) -> bool:
        """Whether the chains' tokens must come with their log probabilities."""
        return self.weight in ("logprob", "tail_entropy")


class AorConfig(Value):
    """Aggregation of Reasoning (Yin et al. 2024, arXiv 2405.12939), with the paper's defaults.

    Scores go from 0 to 10. A budget of fewer samples than `first_samples` bounds all of them.
    """

    kind: Literal["aor"] = "aor"
    first_samples: int = Field(default=20, ge=1, le=1024)
    """n0: chains to start with."""
    representatives: int = Field(default=3, ge=1, le=20)
    """k: chains that stand for an answer, and rounds of global evaluation."""
    min_score: float = Field(default=6.0, ge=0.0, le=10.0)
    """ε: the local score that a representative needs."""
    min_margin: float = Field(default=2.0, ge=0.0, le=10.0)
    """θ: below this lead of the best answer over the second, more chains are drawn."""
    step: int = Field(default=5, ge=1, le=1024)
    """Chains drawn at a time, up to `max_samples`."""
    max_samples: int = Field(default=40, ge=1, le=1024)
    batch: int = Field(default=5, ge=1, le=20)
    """Chains that are scored in one judge call."""
    judge: JudgeLimits = JudgeLimits()
    needs_logprobs: ClassVar[bool] = False
    needs_judge: ClassVar[bool] = True


class UniversalConfig(Value):
    """Universal Self-Consistency (Chen et al. 2023, arXiv 2311.17311): a judge names the most consistent of `limit`."""

    kind: Literal["universal"] = "universal"
    limit: int = Field(default=8, ge=2, le=64)
    judge: JudgeLimits = JudgeLimits()
    needs_logprobs: ClassVar[bool] = False
    max_samples: ClassVar[int] = USUAL_SAMPLES
    needs_judge: ClassVar[bool] = True


class GenSelectConfig(Value):
    """GenSelect (Moshkov et al. 2025, arXiv 2504.16891): a judge selects the best chain of a shuffled window.

    More candidates than `window` meet in a tournament; the majority of `selections` such selections, each with its own
    shuffle, decides.
    """

    kind: Literal["genselect"] = "genselect"
    window: int = Field(default=8, ge=2, le=64)
    selections: int = Field(default=3, ge=1, le=64)
    seed: int = Field(default=0, ge=0)
    judge: JudgeLimits = JudgeLimits()
    needs_logprobs: ClassVar[bool] = False
    max_samples: ClassVar[int] = USUAL_SAMPLES
    needs_judge: ClassVar[bool] = True


AnswerConfig = Annotated[
    SelfConsistencyConfig | AorConfig | UniversalConfig | GenSelectConfig, Field(discriminator="kind")
]
"""The methods that decide on an answer by themselves."""


class AutoEmbedderConfig(Value):
    """`static` where its word vectors are installed, else `tfidf`; a warning in the log then says so once."""

    kind: Literal["auto"] = "auto"


class StaticEmbedderConfig(Value):
    """Word vectors that come with the `wordllama` package."""

    kind: Literal["static"] = "static"


class TfidfEmbedderConfig(Value):
    """Counts of words and letter groups, weighted by how rare they are among the atoms at hand."""

    kind: Literal["tfidf"] = "tfidf"


class SentenceTransformersConfig(Value):
    """Any model of the `sentence-transformers` package, by name or directory."""

    kind: Literal["sentence_transformers"] = "sentence_transformers"
    model: str = Field(min_length=1)


EmbedderConfig = Annotated[
    AutoEmbedderConfig | StaticEmbedderConfig | TfidfEmbedderConfig | SentenceTransformersConfig,
    Field(discriminator="kind"),
]


class AtomicConfig(Value):
    """Atomic Self-Consistency (Thirukovalluru et al. 2024, arXiv 2405.13131): what chains agree on becomes the text.

    `answer` decides; the explanation is merged from the atoms that at least `min_support` chains share. Atoms are alike
    within cosine distance `max_distance` (absent: what suits the embedder).
    """

    kind: Literal["atomic"] = "atomic"
    answer: AnswerConfig = SelfConsistencyConfig()
    min_support: int = Field(default=2, ge=1, le=1024)
    max_distance: float | None = Field(default=None, ge=0.0, le=1.0)
    judge: JudgeLimits = JudgeLimits()
    needs_judge: ClassVar[bool] = True

    @property
    def max_samples(self) -> int:
        """As the answer's method has it."""
        return self.answer.max_samples

    @property
    def needs_logprobs(self) -> bool:
        """Whether the chains' tokens must come with their log probabilities."""
        return self.answer.needs_logprobs


class BetaRule(Value):
    """Adaptive-Consistency (Aggarwal et al. 2023): stop once the leader is the majority with this probability."""

    kind: Literal["beta"] = "beta"
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    step: int = Field(default=1, ge=1, le=1024)
    """Chains drawn at a time; more cost less waiting and some more tokens."""


class WindowRule(Value):
    """ESC (Li et al. 2024, arXiv 2401.10480): stop once a window of chains in a row is unanimous."""

    kind: Literal["window"] = "window"
    size: int = Field(default=5, ge=2, le=1024)


class SupermajorityRule(Value):
    """Start with `first` chains, double them until this share of all chains agrees: 2 → 4 → 8."""

    kind: Literal["supermajority"] = "supermajority"
    first: int = Field(default=2, ge=2, le=1024)
    share: float = Field(default=0.75, gt=0.5, le=1.0)


StoppingRule = Annotated[BetaRule | WindowRule | SupermajorityRule, Field(discriminator="kind")]


class AdaptiveConfig(Value):
    """Draw chains until `rule` says that they are enough; then `answer` decides over all of them."""

    kind: Literal["adaptive"] = "adaptive"
    rule: StoppingRule = BetaRule()
    answer: Annotated[
        SelfConsistencyConfig | AorConfig | UniversalConfig | GenSelectConfig | AtomicConfig,
        Field(discriminator="kind"),
    ] = SelfConsistencyConfig()

    @property
    def needs_judge(self) -> bool:
        """Whether a judge must be there."""
        return self.answer.needs_judge

    @property
    def max_samples(self) -> int:
        """As the answer's method has it."""
        return self.answer.max_samples

    @property
    def needs_logprobs(self) -> bool:
        """Whether the chains' tokens must come with their log probabilities."""
        return self.answer.needs_logprobs


AggregatorConfig = Annotated[
    SelfConsistencyConfig | AdaptiveConfig | AorConfig | AtomicConfig | UniversalConfig | GenSelectConfig,
    Field(discriminator="kind"),
]
