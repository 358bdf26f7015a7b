from __future__ import annotations

from abaci.cli.report import SHOWN_CASES, grade_lines, replay_lines, vote_lines
from abaci.evaluation.grade import Disagreement, GradeReport
from abaci.evaluation.replay import Mismatch, ReplayReport
from abaci.evaluation.vote import VoteReport
from abaci.grading.verdict import Verdict


def test_a_replay_counts_its_mismatches_by_class() -> None:
    mismatches = tuple(
        Mismatch(line=line, idx=None, block=0, cause="output", expected="1\x1b[2J", got="2") for line in range(30)
    )
    report = ReplayReport(
        programs=100,
        exact=70,
        exact_rate=70.0,
        mismatches=mismatches,
        extraction_agreement=100.0,
        accuracy=50.0,
        accuracy_lenient=60.0,
        p50_ms=1.0,
        p99_ms=None,
        trajectories=100,
        is_state_carried=False,
        retried=0,
    )
    lines = [line.plain for line in replay_lines(report)]
    assert "      30  output" in lines
    assert f"  and {30 - SHOWN_CASES} more; --json shows them all" in lines
    assert "\x1b" not in "".join(lines)


def test_a_grading_names_the_pairs_it_judges_otherwise() -> None:
    verdict = Verdict(is_equal=False, method="symbolic", reason="not equal by algebra")
    report = GradeReport(
        pairs=2,
        agreement=50.0,
        false_positives=0,
        false_negatives=1,
        p50_ms=1.0,
        p99_ms=2.0,
        max_ms=2.0,
        disagreements=(Disagreement(line=2, gold="1", pred="2", equal=True, verdict=verdict),),
    )
    assert "line 2: '1' and '2' are equal; graded otherwise" in "\n".join(line.plain for line in grade_lines(report))


def test_a_vote_shows_its_figures() -> None:
    report = VoteReport(questions=4, accuracy=75.0, oracle=100.0, best_single=50.0, abstained=1, mean_samples=3.0)
    report = report.model_copy(update={"warnings": {"no chain has a reward: every vote counts one": 2}})
    text = "\n".join(line.plain for line in vote_lines(report))
    assert "warning at 2 questions: no chain has a reward" in text
    for part in ("75.00 %", "100.00 %", "50.00 %", "1 abstained", "3 candidates a question"):
        assert part in text
