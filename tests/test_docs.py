"""What README, docs and config pages tell people to type exists: tools, flags, configs, links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(page.relative_to(ROOT).as_posix() for pattern in
               ('README.md', 'docs/*.md', 'configs/*/README.md', 'tools/**/README.md')
               for page in ROOT.glob(pattern))
# Flags that tools take from the module they share.
SHARED = (ROOT / 'avgn_mm/engine/launch.py').read_text()


def commands(text):
    """Each command of the shell blocks, continued lines joined."""
    for block in re.findall(r'```shell\n(.*?)```', text, re.DOTALL):
        yield from block.replace('\\\n', ' ').splitlines()


@pytest.mark.parametrize('page', PAGES)
def test_commands_exist(page):
    for command in commands((ROOT / page).read_text()):
        tool = re.search(r'(?:python|bash) (tools/\S+)', command)
        if tool is None:
            continue
        # The shell scripts hand their flags to the tool they start.
        started = re.sub(r'(dist|slurm)_(\w+)\.sh', r'\2.py', tool[1])
        assert (ROOT / tool[1]).is_file() and (ROOT / started).is_file(), command
        source = (ROOT / started).read_text() + SHARED
        for flag in re.findall(r'\s(--[a-z][a-z0-9-]*)', command):
            assert f"'{flag}'" in source, f'{tool[1]} does not know {flag}'
        for config in re.findall(r'configs/\S+\.py', command):
            assert (ROOT / config).is_file(), command


@pytest.mark.parametrize('page', PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r'\]\((?!https?:)([^)#]+)', (ROOT / page).read_text()):
        assert ((ROOT / page).parent / link).exists(), link


def test_make_targets_exist():
    makefile = (ROOT / 'Makefile').read_text()
    for target in re.findall(r'make ([a-z]+)', (ROOT / 'README.md').read_text()):
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), target
