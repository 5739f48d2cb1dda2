"""What a report holds, as types. The schema that ships beside this file (report.schema.json) is made from them.

Shares and scores are fractions in [0, 1]; lists that speak of rows are in the order of the data set's rows. None is for
what is undefined or unknown.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from msgspec import Meta

from emoprefer_bench.cases import NamedCase  # types are read at run time, to check a report by them
from emoprefer_bench.pairs import Label  # likewise
from emoprefer_bench.prompts import PackName  # likewise
from emoprefer_bench.verdicts import Provenance  # likewise

Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=-1, le=1)]
Count = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Key = Annotated[str, Meta(pattern="^[0-9]{5,}:")]
Interval = Annotated[list[float], Meta(min_length=2, max_length=2)]

Bottleneck = Literal["decoding", "preprocessing", "model"]
Outcome = Literal["passed", "failed", "error", "skipped", "interrupted", "missing"]
ComparisonKind = Literal["control", "baseline", "variant", "judge"]
UnscoredOutcome = Literal["failed", "error", "skipped", "interrupted", "missing"]
DecisionKind = Literal["drop", "improvement", "floor", "dataset", "missing", "new", "environment", "noise", "rounds"]
DecisionOutcome = Literal["pass", "fail", "inconclusive", "warn"]


class Manifest(TypedDict):
    """When, with what and how a run was made; `created` is in UTC, `arguments` are the command line's.

    `names` are what the paper's table calls models, where the run says so; `commit` is of the repository it ran in.
    """

    created: str
    arguments: list[str]
    python: str
    platform: str
    processors: int | None
    packages: dict[str, str]
    prompts: PackName
    rounds: Annotated[int, Meta(ge=1)]
    limit: int | None
    names: NotRequired[dict[str, str]]
    commit: NotRequired[str]


class Annotator(TypedDict):
    """How often the others agree with a person, on `rows` labels of a1 or a2; the interval is over clips."""

    annotator: str
    rows: Count
    agreement: Share | None
    interval: Interval | None


class Ceiling(TypedDict):
    """How far people agree on the `pairs` that several labelled (in `rows` rows), and what follows for judges.

    `agreement` is the chance that two people give the same of the labels a1 and a2, `alpha` Krippendorff's over all
    three. `best` is between what the accuracy of the best judge of single labels lies, `best_interval` the same from
    the ends of the agreement's interval. See emoprefer_bench.scoring.ceiling.
    """

    pairs: Count
    rows: Count
    annotators: list[Annotator]
    alpha: float | None
    alpha_interval: Interval | None
    agreement: Share
    agreement_interval: Interval | None
    best: Interval
    best_interval: Interval | None


class Dataset(TypedDict):
    """A data set without its texts.

    `keys` are row number from 0, a colon, and the clip's name (nothing where it is unknown). `row_digests` are over
    clip name, clip digest, texts and label; `digest` is over them. `subtitle_digests` are over what is said in a row's
    clip, where that was read, which is where a judge is told it; `clip_digests` are over the bytes of its files, None
    without files. `subsets` are the parts of the data set that its rows belong to, None where no row has one; where one
    has, `longer` is the text of each row that has more words. `prompts` is the wording that it asks by, if it isn't the
    run's. `warnings` are what was noticed in its files, short of faults.
    """

    name: str
    digest: Digest
    rows: Count
    labelled: Count
    clips: Count
    keys: list[Key]
    labels: list[Label | None]
    row_digests: list[Digest]
    subsets: NotRequired[list[str | None] | None]
    longer: NotRequired[list[Label]]
    warnings: NotRequired[list[str]]
    subtitle_digests: NotRequired[list[Digest | None]]
    ceiling: NotRequired[Ceiling]
    prompts: NotRequired[PackName]
    clip_digests: NotRequired[list[Digest | None]]


class Engine(TypedDict):
    """A judge or a text LLM; `identity` is all of it that can change an answer, `about` what it goes by."""

    name: str
    engine: str
    device: str | None
    identity: dict[str, Any] | None
    sampling: dict[str, Any] | None
    greedy: bool | None
    about: NotRequired[str]


class Engines(TypedDict):
    """The engines of a case; a `describer` where descriptions are another model's."""

    judge: Engine
    llm: Engine | None
    describer: NotRequired[Engine]


class Score(TypedDict):
    """A score over rounds: mean, standard deviation (ddof 0, None for a single round), and its 95% interval."""

    mean: Share | None
    sd: Share | None
    rounds: list[Share | None]
    interval: Interval | None


class TreatedScores(TypedDict):
    """The four scores of the forward verdicts under one treatment of ties and of unread answers."""

    ties: Literal["a1", "half", "wrong", "dropped"]
    unread: Literal["same", "wrong", "dropped"]
    waf2: Share | None
    acc2: Share | None
    waf3: Share | None
    acc3: Share | None


class Bound(TypedDict):
    """How low and how high a score could be, whatever the unread verdicts meant."""

    worst: Share | None
    best: Share | None


class Bounds(TypedDict):
    """Bounds of the four scores, by reading."""

    reference: dict[str, Bound]
    strict: dict[str, Bound]


class McNemar(TypedDict):
    """Rows that only one of two judges has right, and the exact p; one-sided is for the case being better."""

    first_only: Count
    second_only: Count
    p_two_sided: Share
    p_one_sided: Share


class Comparison(TypedDict):
    """A case against a control, a baseline, a variant of itself or a judge on the same rows: `score` minus `other`.

    The interval is over clips; p is of a randomisation test by clip, one-sided for the case being better; `mcnemar` is
    of the accuracy of a single round.
    """

    against: str
    kind: ComparisonKind
    metric: str
    score: Share | None
    other: Share | None
    difference: Points | None
    interval: Interval | None
    p_two_sided: Share | None
    p_one_sided: Share | None
    mcnemar: McNemar | None


class FlippedRow(TypedDict):
    """A row whose verdict changed since the baseline."""

    key: str
    order: Literal["forward", "exchanged"]
    was: Label | None
    now: Label | None
    was_right: bool


class Decision(TypedDict):
    """One thing that a gate looked at. Which numbers it stands on depends on its kind; all are fractions.

    A drop is confirmed by a `p` under `alpha`: that test's share of the `level` that the run's `tests` have together.
    `p_rise` is of an improvement, one-sided as `p` is.
    """

    metric: str | None
    kind: DecisionKind
    outcome: DecisionOutcome
    message: str
    score: NotRequired[Share | None]
    floor: NotRequired[Share]
    before: NotRequired[Share | None]
    after: NotRequired[Share | None]
    drop: NotRequired[Points | None]
    interval: NotRequired[Interval | None]
    p: NotRequired[Share | None]
    p_rise: NotRequired[Share | None]
    tolerance: NotRequired[float]
    alpha: NotRequired[Share]
    level: NotRequired[Share]
    tests: NotRequired[Count]
    rows: NotRequired[Count]
    smallest_visible_drop: NotRequired[Share | None]
    flipped: NotRequired[Count]
    flipped_rows: NotRequired[list[FlippedRow]]
    flip_rate: NotRequired[Share]
    changes: NotRequired[dict[str, list[str]]]


class Noise(TypedDict):
    """How often verdicts changed when rows were asked again in the same run; the interval is Wilson's."""

    rows: Count
    verdicts: Count
    flips: Count
    rate: Share | None
    interval: Interval | None


class Vote(TypedDict):
    """How a vote came about: over rounds, orders or models, `of` these cases, and how many verdicts a coin drew."""

    over: Literal["rounds", "orders", "models"]
    of: list[str]
    verdicts: Count
    drawn: Count


class RoundVerdicts(TypedDict):
    """The verdicts of one round.

    Those on exchanged pairs are raw: a1 names the text that stood first there. An unread verdict is None with a
    provenance; one that was not asked for is None in all three lists.

    A judge that weighs also has a margin each, in nats: positive where the text that stands first has more weight. What
    it is made of are the `weights`: by L1 the scores of the two texts, by P1 the natural logarithms of the
    probabilities of the words a1, a2 and same in this order. `confidence` is how probable it is that people prefer the
    text with the greater weight, by a calibration that was fitted on other clips; None where there is none.
    """

    forward: list[Label | None]
    forward_reference: list[Label | None]
    forward_provenance: list[Provenance | None]
    exchanged: list[Label | None]
    exchanged_reference: list[Label | None]
    exchanged_provenance: list[Provenance | None]
    forward_margin: NotRequired[list[float | None]]
    exchanged_margin: NotRequired[list[float | None]]
    forward_weights: NotRequired[list[list[float] | None]]
    exchanged_weights: NotRequired[list[list[float] | None]]
    forward_confidence: NotRequired[list[Share | None]]
    exchanged_confidence: NotRequired[list[Share | None]]


class Estimate(TypedDict):
    """A value that need not be a share, and its 95% interval over clips."""

    value: float
    interval: Interval | None


class Bin(TypedDict):
    """A fifth of the labelled rows, by rising confidence: its means, and Wilson's interval of the accuracy."""

    rows: Count
    confidence: Share
    accuracy: Share
    interval: Interval | None


class CalibrationError(TypedDict):
    """The expected calibration error over five bins of equal mass.

    Beside it what a judge whose probabilities are true would show at this size: its mean, and what 95% of draws are
    under.
    """

    value: Share
    perfect: Share
    perfect_most: Share


class Answered(TypedDict):
    """The accuracy on the surest rows, which are this share of the labelled ones, with Wilson's interval."""

    share: Share
    accuracy: Share
    interval: Interval | None


class Judged(TypedDict):
    """What probabilities are worth that were fitted on other clips, on so many labelled pairs and clips.

    With fewer than 50 pairs the Brier score stands alone.
    """

    pairs: Count
    clips: Count
    brier: Estimate
    log_loss: Estimate | None
    error: CalibrationError | None
    bins: list[Bin] | None
    answered: list[Answered] | None


class Calibration(Judged):
    """P(a1) = sigmoid(margin / temperature): the temperature of all labels (nats), None where none is finite.

    `evident` says whether these labels tell 1 / temperature from 0; the margins are no evidence otherwise. The two
    `..._as_is` are those of temperature 1.
    """

    temperature: float | None
    evident: bool
    brier_as_is: Estimate
    log_loss_as_is: Estimate | None


class Weighing(TypedDict):
    """What a judge that weighs says beyond its verdicts, of the rows that were answered in both orders.

    `length` is the correlation of its margins with the differences in words, over both orders. Of P1 alone: its
    `slot_bias` in nats, (l1 + l2) / 2 where l is how much the word a1 is preferred to a2 in each order; `swap_before`,
    the share of rows on which the two orders name the same text before they are averaged; and `mass`, how probable it
    is that the next word is one of the three.
    """

    length: Estimate | None
    slot_bias: NotRequired[Estimate | None]
    swap_before: NotRequired[Estimate | None]
    mass: NotRequired[Estimate | None]
    calibration: Calibration | None


class Fusion(TypedDict):
    """How several judges came to be one: fitted `on` a data set, so many of its pairs and clips.

    `weights` are means over the folds, by case, in log odds a nat of margin (or a verdict); `chosen` says in how many
    of the `folds` a judge took part. `judged` is what the probabilities are worth where people preferred a text.
    """

    on: str
    pairs: Count
    clips: Count
    weights: dict[str, float]
    chosen: dict[str, Count]
    folds: Count
    judged: Judged | None


class Questions(TypedDict):
    """How many answers were asked for in this run, and how many were there."""

    asked: Count
    stored: Count


class Pace(TypedDict):
    """Of what was asked for in this run: questions and output tokens a second, and what most of the time went into.

    `cached` is the part of the prompt tokens that came from the engine's prefix cache.
    """

    questions: float | None
    output_tokens: float | None
    cached: Share | None
    bottleneck: Bottleneck | None


class Spent(TypedDict):
    """Where the time went: see RanCase."""

    seconds: dict[str, float]
    pace: Pace


class Costs(Spent):
    """What a case took: see RanCase."""

    questions: Questions
    tokens: dict[str, Count]
    media: dict[str, Count]
    faults: dict[str, Count]


class RanCase(NamedCase):
    """A case that was asked: its verdicts, what it cost, and where it stands.

    `transcript` is where the texts and answers are, relative to the report. `rows` are those that scores would count:
    answered in both orders and every round. `tokens` are of the answers that the verdicts rest on, `media` counts
    answers about a clip, and how many of them heard and saw it; `faults` are the most frequent errors. `seconds` are of
    what was asked for in this run: `elapsed` and `waiting` (for a clip) by the clock, `decoding` the decoders' time,
    `preprocess` and `model` summed over questions, which overlap. `restarts` is how often an engine died.
    """

    complete: bool
    transcript: str | None
    engine: Engines
    rows: Count
    labelled: Count
    provenance: dict[str, Count]
    verdicts: list[RoundVerdicts]
    questions: Questions
    tokens: dict[str, Count]
    seconds: dict[str, float]
    pace: NotRequired[Pace]
    media: dict[str, Count]
    faults: dict[str, Count]
    restarts: NotRequired[Count]
    bounds: NotRequired[Bounds]
    noise: NotRequired[Noise | None]
    gate: NotRequired[list[Decision]]
    vote: NotRequired[Vote]
    fusion: NotRequired[Fusion]
    weighing: NotRequired[Weighing | None]


class Measured(TypedDict):
    """All that verdicts, labels and clips alone give. What `bias` holds is said in emoprefer_bench.scoring.bias."""

    rows: Count
    labelled: Count
    scores: dict[str, Score]
    policies: list[TreatedScores]
    bounds: Bounds
    bias: dict[str, Any]


class Part(TypedDict):
    """A subset of the rows, scored by itself.

    `longer` is the share of verdicts for the longer text, where one is longer, with its interval.
    """

    rows: Count
    labelled: Count
    clips: Count
    scores: dict[str, Score]
    longer: NotRequired[Share | None]
    longer_interval: NotRequired[Interval | None]


class Pull(TypedDict):
    """What part of a judge's verdicts goes with the label, or with a shortcut, the others held fixed.

    `weight` is about a share, with its 95% interval over clips; `found` says whether it is told from 0, by a level of
    0.01 for all pulls of a judge together. See emoprefer_bench.scoring.pulls.
    """

    weight: float
    interval: Interval
    found: bool


class AlternativeTo(TypedDict):
    """A judge against a person, on the rows that both share with others: how often each has a row, and the p."""

    annotator: str
    rows: Count
    judge: Share
    person: Share
    p: Share


class Alternative(TypedDict):
    """The alternative-annotator test: over how many `annotators` a judge wins, less a `margin`."""

    margin: Share
    annotators: list[AlternativeTo]
    wins: Count
    passes: bool
    advantage: Share


class OfCeiling(TypedDict):
    """A judge beside people, on the rows of pairs that several labelled, and whether it could stand in for one.

    `rows` are those rows that are labelled a1 or a2, `interval` is that of its acc2 on them, over clips; `relative` is
    the acc2 by the two bounds of the best one, the lower first.
    """

    rows: NotRequired[Count]
    acc2: Share | None
    interval: NotRequired[Interval | None]
    relative: Interval | None
    alternative: Alternative | None


class Scored(Measured):
    """The scores of a case, what its answers were read as, and how it stands beside the controls."""

    provenance: dict[str, Count]
    slices: dict[str, Any]
    comparisons: list[Comparison]
    pulls: dict[str, Pull]
    subsets: dict[str, Part]
    of_ceiling: OfCeiling | None


class ScoredResult(RanCase):
    """What a trial makes of a case. What `bias` and `slices` hold is said in emoprefer_bench.scoring.

    `pulls` are by `people` and by control, `subsets` by name.
    """

    scores: dict[str, Score]
    policies: NotRequired[list[TreatedScores]]
    bias: NotRequired[dict[str, Any]]
    slices: NotRequired[dict[str, Any]]
    comparisons: list[Comparison]
    pulls: NotRequired[dict[str, Pull]]
    subsets: NotRequired[dict[str, Part]]
    of_ceiling: NotRequired[OfCeiling | None]


class UnscoredResult(RanCase):
    """What a trial makes of a case that has no scores: questions failed, or too few answers could be read."""


class ScoredCase(ScoredResult):
    """A case with scores, and what became of its test."""

    outcome: Outcome
    reason: str | None


class UnscoredCase(NamedCase):
    """A case without scores, with the reason; it may have been asked for all that, and then has what a run gives.

    What a case `needs` that was skipped is said in words that all cases share which need the same.
    """

    complete: bool  # False: whatever was asked, there are no scores
    outcome: UnscoredOutcome
    reason: str | None
    needs: NotRequired[list[str]]
    gate: NotRequired[list[Decision]]
    transcript: NotRequired[str | None]
    engine: NotRequired[Engines]
    rows: NotRequired[Count]
    labelled: NotRequired[Count]
    provenance: NotRequired[dict[str, Count]]
    verdicts: NotRequired[list[RoundVerdicts]]
    questions: NotRequired[Questions]
    tokens: NotRequired[dict[str, Count]]
    seconds: NotRequired[dict[str, float]]
    pace: NotRequired[Pace]
    media: NotRequired[dict[str, Count]]
    faults: NotRequired[dict[str, Count]]
    restarts: NotRequired[Count]
    bounds: NotRequired[Bounds]
    noise: NotRequired[Noise | None]
    vote: NotRequired[Vote]


ReportedCase: TypeAlias = ScoredCase | UnscoredCase


class CrossedCell(TypedDict):
    """A judge with a description: a model's, or one of emoprefer_bench.cases.CROSSED. `acc2` is read strictly."""

    judge: str
    description: str
    case: str
    rows: Count
    acc2: Share | None
    interval: Interval | None


class Mended(TypedDict):
    """What share of a judge's errors is mended like that, with its interval over clips.

    `by_chance` is the share of rows that would be, if the judge's verdicts with other descriptions knew nothing of each
    other, nor of the error.
    """

    share: Share
    interval: Interval | None
    by_chance: Share


class Fault(TypedDict):
    """How much more is right (a difference of accuracies) where the description, or the judge, is another's.

    `found` says whether it is told from 0, by a level of 0.01 for both faults of a judge together.
    """

    gain: Points
    interval: Interval
    found: bool


class CrossedCase(TypedDict):
    """Whose fault the errors of a judge's case are: see emoprefer_bench.scoring.crossing.

    `others` are those whose descriptions it was given besides, `peers` the judges that were given its `describer`'s.
    Of its errors, so many are `mended` by two or more of the others' descriptions, and by `none` of them. None
    where there are too few others, peers or errors.
    """

    case: str
    judge: str
    describer: str
    errors: Count
    others: list[str]
    peers: list[str]
    mended: Mended | None
    none: Mended | None
    descriptions: Fault | None
    comparing: Fault | None


class VarianceShares(TypedDict):
    """What makes the verdicts on one row differ: shares of variance, with their intervals over clips."""

    describer: Estimate
    judge: Estimate
    interaction: Estimate


class Crossing(TypedDict):
    """Every judge with every description, by one prompt, on the `rows` of a data set that are labelled a1 or a2.

    `describers` are those whose descriptions of all rows every judge was given; the shares of variance are over these.
    """

    dataset: str
    prompt: Literal["S2", "S3"]
    rows: Count
    clips: Count
    describers: list[str]
    cells: list[CrossedCell]
    judges: list[CrossedCase]
    variance: VarianceShares | None


class Document(TypedDict):
    """A run of the benchmark. It is `complete` if every case that was not skipped has all its verdicts."""

    schema: Literal[1]
    complete: bool
    manifest: Manifest
    datasets: dict[str, Dataset]
    cases: list[ReportedCase]
    crossings: NotRequired[list[Crossing]]
