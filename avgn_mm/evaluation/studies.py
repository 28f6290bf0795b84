"""The studies of ``docs/results.md``: the models of each, what is claimed, the paper's figures.

A *row* is a model that is trained: a method's config of the data set, or its AVGN with what a
config of ``configs/avgn/ablations`` or ``configs/avgn/improvements`` changes. A *line* of a study's
table is a row measured in one way; studies share rows. To add a switch, add its config to
``improvements``; to add a method, name it in ``METHODS``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

Figures = Mapping[int, float]

BUDGETS = (1, 2, 4, 8, 16)
EXIT_GLANCES = 2  # T_G of AVGN+, section 4.2
FEW_GLANCES = 2
# What is done to the sound of the test videos: arguments of CorruptAudio.
CORRUPTIONS = {
    'noise': dict(mode='noise', snr_db=0.0),
    'missing': dict(mode='missing'),
    'wrong': dict(mode='wrong'),
}
# AVGN without the audio dropout that is on in the configs of data where it won: the paper's recipe,
# but for hindsight and what else the data set's config says (docs/results.md, "Which AVGN").
PAPER = 'no_audio_dropout'
# AVGN as its config has it, and what that leaves out or has more than the paper.
AVGNS = {'avgn': 'AVGN', PAPER: 'AVGN without audio dropout',
         'audio_dropout': 'AVGN with audio dropout'}
# Wrong or missing sound may cost so much against the same model without ears.
AUDIO_MARGIN = 0.03


@dataclass(frozen=True)
class Method:
    """A registered recognizer with configs of its own.

    Attributes:
        title: As papers call it.
        networks: How its configs for the large data sets are called, between its name and theirs.
        num_focus: The k at which it is tested, as far as it takes them.
        chooses: Whether it finds out by itself how much to compute, so that its config's own test
            is a point of its curve.
        after: The row with whose weights of the same seed it begins.
        paper: mAP on ActivityNet and GFLOPs in the paper's Table 1.
    """
    title: str
    networks: str
    num_focus: tuple[int, ...] = BUDGETS
    chooses: bool = False
    after: str | None = None
    paper: str = '-'


METHODS = {
    'avgn': Method('AVGN', 'mn2_r50'),
    'adafocusv2': Method('AdaFocusV2', 'mn2_r50_p128', paper='79.0 (27.0)'),
    'uniadafocus': Method('Uni-AdaFocus', 'mn2_r50'),
    'ocsampler': Method('OCSampler', 'mn2_r50', after='frameexit', paper='76.9 (21.7)'),
    'frameexit': Method('FrameExit', 'r50', chooses=True),
    'arnet': Method('AR-Net', 'mn2_r50', (), chooses=True, paper='73.8 (33.5)'),
    'adamml': Method('AdaMML', 'mn2_r50', (), chooses=True),
    'scsampler': Method('SCSampler', 'mn2_r50', paper='72.9 (42.0)'),
    'uniform': Method('Uniform', 'r50'),
    'random': Method('Random', 'r50'),
}


@dataclass(frozen=True)
class Line:
    """A line of a table: a row, measured in one way.

    Attributes:
        row: The trained row.
        titles: The line's first columns, as the paper prints them.
        paper: By k, the paper's mAP on ActivityNet, in percent.
        paper_gflops: By k, where the table states it.
        num_glances: T_G; None is that of the config.
        measure: ``'budgets'``: the test at every k; ``'patches'``: of the patches alone (Table 6);
            ``'exits'``: early exit; or one of ``CORRUPTIONS``.
        name: What comparisons call it; the row by default.
    """
    row: str
    titles: tuple[str, ...]
    paper: Figures = field(default_factory=dict)
    paper_gflops: Figures = field(default_factory=dict)
    num_glances: int | None = None
    measure: str = 'budgets'
    name: str = ''

    def __post_init__(self) -> None:
        object.__setattr__(self, 'name', self.name or self.row)


@dataclass(frozen=True)
class Comparison:
    """The claim that one line is more accurate than another.

    Attributes:
        better, worse: Names of the lines.
        num_focus: At which k.
        matched: A k at whose GMACs, those of ``better``, both are compared too: each at the
            greatest of its own k that costs no more.
        margin: How much less accurate ``better`` may be, as a share of 1.
    """
    better: str
    worse: str
    num_focus: tuple[int, ...]
    matched: int | None = None
    margin: float = 0.0


@dataclass(frozen=True)
class Study:
    """A table, the claim that it tests, and whether it holds.

    Attributes:
        title: Headline.
        claim: What the paper, or whoever, says.
        header: Of the lines' first columns.
        lines: In order.
        comparisons: What the claim comes down to.
        num_focus: The k of the columns.
        against: Names of lines, each of which is held against all lines of other rows at the
            GMACs of these, at all their settings.
        picture: Whether to draw accuracy against GMACs.
    """
    title: str
    claim: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    comparisons: tuple[Comparison, ...] = ()
    num_focus: tuple[int, ...] = BUDGETS
    against: tuple[str, ...] = ()
    picture: bool = False

    def without(self, rows: Collection[str]) -> 'Study':
        """The study without some rows, and without what is claimed of them."""
        lines = tuple(line for line in self.lines if line.row not in rows)
        names = {line.name for line in lines}
        against = tuple(name for name in self.against if name in names)
        return replace(self, lines=lines, against=against, comparisons=tuple(
            comparison for comparison in self.comparisons
            if {comparison.better, comparison.worse} <= names))

    def instead(self, row: str, other: str) -> 'Study':
        """The study with one row in another's place; without that if both are lines of it."""
        if other in (line.row for line in self.lines):
            return self.without({row})
        return replace(self, lines=tuple(
            replace(line, row=other) if line.row == row else line for line in self.lines))

    def measures(self) -> list[tuple[str, str]]:
        """What must be known: pairs of a row and a measure, each once."""
        pairs = [(line.row, line.measure) for line in self.lines]
        # Where the patches lie is found by the other test.
        pairs += [(row, 'budgets') for row, measure in pairs if measure == 'patches']
        return [*dict.fromkeys(pairs)]


def _methods() -> Study:
    avgn = (
        Line('avgn', ('AVGN, T_G=12', '80.2 (24.4)'), num_glances=12, name='AVGN, T_G=12'),
        Line('avgn', ('AVGN, T_G=4', '74.7 (9.6)'), num_glances=4, name='AVGN, T_G=4'),
        Line('avgn', (f'AVGN+, T_G={EXIT_GLANCES}', '75.8 (9.7)'), measure='exits', name='AVGN+'))
    others = tuple(Line(row, (f'{title}, T_G=12', '-' if row != PAPER else '80.2 (24.4)'),
                        num_glances=12, name=title)
                   for row, title in AVGNS.items() if row != 'avgn')
    rivals = tuple(Line(name, (method.title, method.paper), name=method.title)
                   for name, method in METHODS.items() if name != 'avgn')
    return Study(
        'Accuracy against computation (Table 1, Figure 2)',
        'AVGN reaches a higher accuracy than the other methods at the same or a lower cost '
        '(sections 1 and 4.2).',
        ('method', 'paper: mAP (GFLOPs)'), (*avgn, *others, *rivals),
        against=tuple(line.name for line in (*avgn, *others)), picture=True)


def _glances() -> Study:
    paper = {2: (55.3, 75.6, 80.2), 4: (56.4, 75.9, 80.1), 8: (57.5, 76.8, 80.0),
             12: (57.7, 77.8, 80.2), 16: (57.6, 78.3, 80.2)}
    gflops = {2: (2.7, 10.9, 27.6), 4: (3.3, 11.1, 27.6), 8: (4.7, 11.6, 27.6),
              12: (6.0, 12.8, 27.6), 16: (7.3, 14.1, 27.6)}
    ks = (1, 6, 16)
    lines = tuple(Line(PAPER, (str(number), ), dict(zip(ks, paper[number])),
                       dict(zip(ks, gflops[number])), number, name=f'T_G={number}')
                  for number in paper)
    pairs = [(lines[-1], lines[0]), *zip(lines[1:], lines)]
    return Study(
        'Number of glances (Table 3)',
        'More glances find better frames: at k=6 accuracy rises with every step of T_G, at k=1 up '
        'to T_G=12. With k=16, where nothing is left out, T_G makes next to no difference.',
        ('T_G', ), lines,
        tuple(Comparison(more.name, less.name, (1, 6) if less is not lines[-2] else (6, ))
              for more, less in pairs),
        num_focus=(1, 2, 4, 6, 8, 16))


def _parts() -> Study:
    ks = (1, 4, 6, 8, 12, 16)
    rows = (
        ('table4_exp1', '1✗✗✗✗', 46.6, 63.6, 69.0, 72.7, 75.6, 76.9),
        ('table4_exp2', '2✗✓✗✗', 50.1, 70.4, 73.0, 74.5, 76.0, 76.9),
        ('table4_exp3', '3✓✗✗✗', 48.6, 65.2, 70.9, 74.4, 77.1, 78.4),
        ('table4_exp4', '4✓✓✗✗', 51.5, 70.3, 73.9, 76.0, 78.1, 78.4),
        ('table4_exp5', '5✓✓✓✗', 52.1, 71.5, 75.1, 76.7, 79.0, 79.7),
        (PAPER, '6✓✓✓✓', 57.7, 75.4, 77.8, 78.8, 79.9, 80.2))
    lines = [Line(row, tuple(titles), dict(zip(ks, paper)), name=f'Exp. {titles[0]}')
             for row, titles, *paper in rows]
    pairs = ((2, 1), (4, 3), (3, 1), (4, 2), (5, 4), (6, 5))
    return Study(
        "AVGN's parts (Table 4)",
        'Each part helps, above all at small k: AV-TeST without and with sound (2 over 1, 4 over '
        '3), sound (3 over 1, 4 over 2), AESPA (5 over 4), psi (6 over 5).',
        ('Exp.', 'Audio', 'AV-TeST', 'AESPA', 'psi'), tuple(lines),
        tuple(Comparison(f'Exp. {a}', f'Exp. {b}', (1, 2, 4), matched=4) for a, b in pairs))


def _few_glances() -> Study:
    parts = _parts()
    choosing = parts.header.index('AV-TeST')
    lines = [replace(line, paper={},
                     num_glances=FEW_GLANCES if line.titles[choosing] == '✓' else None)
             for line in parts.lines]
    return Study(
        f"AVGN's parts at T_G={FEW_GLANCES}",
        f'Not a table of the paper: the models of Table 4, those that choose frames tested with '
        f'{FEW_GLANCES} glances. Frames are chosen worse then, so that more is left for the other '
        'parts to gain, and choosing costs less.',
        parts.header, tuple(lines),
        tuple(claim for claim in parts.comparisons if claim.better != 'Exp. 3'))


def _when() -> Study:
    ks = (4, 8, 12)
    return Study(
        'When to look (Table 5)',
        'AV-TeST finds better frames than even spacing does, at little cost.',
        ('Temporal sampling', ), (
            Line('table5_uniform', ('Uniform', ), dict(zip(ks, (67.3, 76.6, 78.8))),
                 dict(zip(ks, (7.4, 14.2, 20.9))), name='Uniform'),
            Line(PAPER, ('AV-TeST (T_G=12)', ), dict(zip(ks, (75.4, 78.8, 79.9))),
                 dict(zip(ks, (10.5, 16.0, 22.0))), name='AV-TeST')),
        (Comparison('AV-TeST', 'Uniform', ks, matched=4), ), num_focus=(1, 2, 4, 8, 12))


def _where() -> Study:
    ks = (1, 4, 8, 12, 16)
    rows = (('table6_centre_crop', 'Centre crop', 44.2, 59.3, 67.6, 70.0, 71.4),
            ('table6_policy', 'Patch network (pi)', 48.0, 62.2, 69.8, 71.9, 73.6),
            (PAPER, 'AESPA + pi', 48.6, 62.9, 70.4, 72.8, 74.1))
    lines = tuple(Line(row, (title, ), dict(zip(ks, paper)), measure='patches', name=title)
                  for row, title, *paper in rows)
    return Study(
        'Where to look: the patches alone (Table 6)',
        'Patches that pi places tell more than the centre of the frame does, and more still with '
        'AESPA.',
        ('Spatial sampling', ), lines,
        tuple(Comparison(more.name, less.name, (1, 4, 8, 16))
              for more, less in zip(lines[1:], lines)))


def _losses() -> Study:
    ks = (1, 4, 8, 16)
    rows = (('table7_no_visual', '✗✓✓✓', 'without L_V', 56.9, 73.0, 76.5, 78.4),
            ('table7_no_audio', '✓✗✓✓', 'without L_A', 54.6, 73.0, 77.2, 78.6),
            ('table7_no_mask', '✓✓✗✓', 'without L_mask', 55.0, 73.7, 77.6, 79.5),
            ('table7_no_ordered', '✓✓✓✗', 'without L_ord', 57.0, 75.2, 78.8, 80.2),
            (PAPER, '✓✓✓✓', 'all losses', 57.7, 75.4, 78.8, 80.2))
    lines = tuple(Line(row, tuple(marks), dict(zip(ks, paper)), name=name)
                  for row, marks, name, *paper in rows)
    return Study(
        'Training losses (Table 7)',
        'Each loss helps: L_V and L_A everywhere, L_mask above all at small k, L_ord a little.',
        ('L_V', 'L_A', 'L_mask', 'L_ord'), lines,
        tuple(Comparison('all losses', line.name, ks) for line in lines[:-1]))


def _audio() -> Study:
    heard = {'budgets': 'clean', **{name: name for name in CORRUPTIONS}}
    blind = Line('table4_exp2', ('AVGN without ears', 'any'), name='AVGN without ears')
    lines = [blind] + [Line(row, (title, sound), measure=measure, name=f'{title}, {sound}')
                       for row, title in AVGNS.items() for measure, sound in heard.items()]
    return Study(
        'Sound at test: clean, noisy, missing, wrong',
        'The paper does not test it. What we ask for: noisy, missing or wrong sound at test costs '
        f'no more than {100 * AUDIO_MARGIN:.0f} points against the model that was trained without '
        'ears (Exp. 2 of Table 4). So a difference above '
        f'-{100 * AUDIO_MARGIN:.0f} points holds.',
        ('model', 'sound at test'), tuple(lines),
        tuple(Comparison(f'{title}, {sound}', blind.name, (1, 2, 4), margin=AUDIO_MARGIN)
              for title in AVGNS.values() for sound in ('noise', 'missing', 'wrong')))


def _improvements(names: Sequence[str]) -> Study:
    lines = (Line('avgn', ('none: the config', ), name='AVGN'),
             *(Line(name, (name, )) for name in names))
    return Study(
        'Switches that the paper does not have',
        'Each that is on is worth having (AVGN over the config without it), and so is each that is '
        'off (it over AVGN).',
        ('switch', ), lines,
        tuple(Comparison('AVGN', name, (1, 2, 4)) if name.startswith(('no_', 'paper_'))
              else Comparison(name, 'AVGN', (1, 2, 4)) for name in names))


def make_studies(improvements: Sequence[str] = ()) -> dict[str, Study]:
    """All studies by name.

    Args:
        improvements (Sequence[str]): Names of the configs in ``configs/avgn/improvements``.
    """
    return dict(methods=_methods(), table3=_glances(), table4=_parts(),
                few_glances=_few_glances(), table5=_when(), table6=_where(),
                table7=_losses(), audio=_audio(),
                improvements=_improvements(improvements))
