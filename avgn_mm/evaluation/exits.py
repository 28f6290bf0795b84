"""When to stop looking: the thresholds of early exit (AVGN+, section 4.2).

The rule is AdaFocusV2's: choose what share of the training videos should be finished after each
frame, and read off the confidence (the greatest logit) that separates this share from the rest. A
family of such distributions gives a curve of accuracy against computation.
"""

import json
import math
from collections.abc import Sequence

import numpy as np


def exit_distributions(num_steps: int) -> dict[float, np.ndarray]:
    """The family of exit distributions: the share of step t is proportional to p^t.

    Args:
        num_steps (int): k, at least 1.

    Returns:
        dict[float, np.ndarray]: For each power p in 0.5, 0.6, ..., 3.9 the shares (k,), which sum
        to 1. With p < 1 most videos exit early, with p > 1 late.
    """
    if num_steps < 1:
        raise ValueError(f'early exit needs at least 1 step, got {num_steps}')
    family = {}
    for power in np.arange(5, 40) / 10:
        # Relative to the last step: 3.9^t itself is a large number.
        shares = power ** np.arange(1.0 - num_steps, 1.0)
        family[float(power)] = shares / shares.sum()
    return family


def solve_thresholds(confidences: np.ndarray, distribution: Sequence[float]) -> np.ndarray:
    """Find the thresholds with which N videos exit as a distribution says.

    Of the videos that are still there, the floor(N * share) most confident ones exit at each
    step, and all the rest at the last one. Videos that tie with the last of them exit too.

    Args:
        confidences (np.ndarray): Greatest logit of each video after each frame, (N, k).
        distribution (Sequence[float]): Wanted share of videos at each step, (k,), sums to 1.

    Returns:
        np.ndarray: (k,) A video exits at the first step whose threshold its confidence reaches;
        infinite where none shall, and minus infinite at the last step.

    Raises:
        ValueError: If there is no video, a confidence is not a number, or the distribution is
            none or of another length.
    """
    confidences, distribution = np.asarray(confidences), np.asarray(distribution)
    if confidences.ndim != 2 or 0 in confidences.shape or np.isnan(confidences).any():
        raise ValueError('confidences must be (N, k) numbers of at least one video, got shape '
                         f'{confidences.shape} with {int(np.isnan(confidences).sum())} NaN')
    num_videos, num_steps = confidences.shape
    if (distribution.shape != (num_steps, ) or (distribution < 0).any()
            or not np.isclose(distribution.sum(), 1)):
        raise ValueError(f'the exit distribution must be {num_steps} shares that sum to 1, got '
                         f'{distribution.tolist()}')
    thresholds = np.full(num_steps, np.inf)
    thresholds[-1] = -np.inf
    remaining = np.arange(num_videos)
    for step in range(num_steps - 1):
        wanted = min(int(num_videos * distribution[step]), len(remaining))
        if wanted:
            scores = confidences[remaining, step]
            thresholds[step] = np.partition(scores, -wanted)[-wanted]
            remaining = remaining[scores < thresholds[step]]
    return thresholds


def exit_steps(confidences: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """After how many frames each video is finished.

    Args:
        confidences (np.ndarray): Greatest logit of each video after each frame, (N, k).
        thresholds (Sequence[float]): At least k; the k-th is not used, as the last step takes all.

    Returns:
        np.ndarray: (N,) from 1 to k, as the recognizer's ``exit_step``.

    Raises:
        ValueError: If there are fewer thresholds than steps.
    """
    confidences = np.asarray(confidences)
    num_steps = confidences.shape[1]
    if len(thresholds) < num_steps:
        raise ValueError(f'{len(thresholds)} exit thresholds for {num_steps} steps')
    finished = confidences >= np.asarray(thresholds)[:num_steps]
    finished[:, -1] = True
    return finished.argmax(axis=1) + 1


def write_thresholds(filename: str, content: dict) -> None:
    """Write what ``tools/analysis_tools/solve_exits.py`` found as JSON.

    JSON knows no infinity: a threshold that no confidence reaches is written as null, and so is
    the last one, which is not used.

    Args:
        filename (str): File to write.
        content (dict): With ``num_glances``, ``thresholds`` and whatever else is to be kept;
            ``family`` may list dicts with further ``thresholds``.
    """
    def plain(solved: dict) -> dict:
        finite = [float(x) if math.isfinite(x) else None for x in solved['thresholds']]
        return {**solved, 'thresholds': finite}

    content = plain({**content, 'family': [plain(solved) for solved in content.get('family', ())]})
    text = json.dumps(content, indent=2, allow_nan=False)
    with open(filename, 'w', encoding='utf-8') as file:
        file.write(text + '\n')


def read_thresholds(filename: str) -> dict:
    """Read a file of :func:`write_thresholds`.

    Args:
        filename (str): JSON file.

    Returns:
        dict: Its content, with the infinities back in place.

    Raises:
        ValueError: If the file is not such a file.
    """
    def numbers(solved: dict) -> dict:
        thresholds = solved['thresholds']
        if (not isinstance(thresholds, list) or not thresholds
                or not all(x is None or type(x) in (int, float) and x == x for x in thresholds)):
            raise TypeError(f'thresholds must be a list of numbers or null, got {thresholds!r}')
        return {**solved, 'thresholds': [math.inf if x is None else float(x) for x in thresholds]}

    with open(filename, encoding='utf-8') as file:
        try:
            content = numbers(json.load(file))
            content['family'] = [numbers(solved) for solved in content.get('family', ())]
            if type(content['num_glances']) is not int:
                raise TypeError(f'num_glances must be an integer, got {content["num_glances"]!r}')
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f'{filename} is no thresholds file as '
                             f'tools/analysis_tools/solve_exits.py writes it: {error!r}') from error
    return content
