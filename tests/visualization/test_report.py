"""The report opens anywhere, jumps by mouse and key, and takes nothing from outside as HTML."""

import dataclasses
import html
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from avgn_mm.apis import AVInferencer, VideoResult
from avgn_mm.visualization import write_report
from tests.media import write_clip
from tests.test_configs import ROOT

CHROMIUM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome'))), None)
EVIL = '<script>document.title="hacked"</script>&"\'.mp4'
EVIL_NAME = '"><img src=x onerror=document.title="hacked">'


def result(filename, **changes):
    return dataclasses.replace(VideoResult(
        str(filename),
        labels=[dict(label=1, name='left', score=0.75), dict(label=0, name='right', score=0.25)],
        saliency=[dict(seconds=0.25 + 0.5 * i, score=score)
                  for i, score in enumerate((0.2, 0.9, 0.1, 0.6))],
        frames=[dict(index=7, seconds=0.75, box=[16.0, 12.0, 48.0, 36.0]),
                dict(index=17, seconds=1.75, box=[0.0, 0.0, 32.0, 24.0])],
        gmacs=1.234, frames_decoded=3,
        milliseconds=dict(open=1.0, audio=2.0, frames=3.0, model=4.26),
        duration_seconds=2.0, has_audio=True), **changes)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    # VP9 in WebM: what every build of Chromium plays.
    return write_clip(tmp_path_factory.mktemp('clips') / 'a clip #1.webm', audio=440.0,
                      video_codec='libvpx-vp9', audio_codec='libopus', audio_rate=48000,
                      video_options=dict(g='5', deadline='realtime'))


class Page(HTMLParser):
    """Every element, and that each that has content is closed in its place."""

    VOID = ('meta', 'img', 'image', 'polyline')

    def __init__(self, path):
        super().__init__()
        self.elements, self._open = [], []
        self.text = Path(path).read_text()
        self.feed(self.text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def all(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag
                and all(attrs.get(key) == value for key, value in wanted.items())]


def test_one_video(clip, tmp_path):
    write_report([result(clip)], tmp_path / 'report.html')
    page = Page(tmp_path / 'report.html')
    (video, ) = page.all('video')
    assert (tmp_path / unquote(video['src'])).samefile(clip) and '#' not in video['src']
    points = [attrs for attrs in page.all('button') if 'point' in attrs.get('class', '')]
    assert [float(point['data-seconds']) for point in points] == [0.25, 0.75, 1.25, 1.75]
    assert [point['class'] for point in points] == ['point', 'point chosen'] * 2
    # 0.25 s of 2 s; a saliency of 0.2 in the upper 150 of 210 units.
    assert points[0]['style'] == f'left:12.50%;top:{0.8 * 150 / 210:.2%}'
    assert [point['tabindex'] for point in points] == ['0', '-1', '-1', '-1']
    assert 'number 1' in points[1]['aria-label'] and 'number 2' in points[3]['aria-label']
    assert [patch['style'] for patch in page.all('i')] == [
        'left:25.00%;top:25.00%;width:50.00%;height:50.00%',
        'left:0.00%;top:0.00%;width:50.00%;height:50.00%']
    assert len(page.all('img')) == 2 and len(page.all('image')) == 4
    for shown in ('left', '75.0%', '1.23', '3 of 4 sampled', '4.3'):
        assert f'>{shown}<' in page.text
    assert not page.all('nav')


def test_nothing_comes_from_elsewhere(clip, tmp_path):
    write_report([result(clip), result(clip)], tmp_path / 'report.html')
    page = Page(tmp_path / 'report.html')
    assert not page.all('link') and len(page.all('script')) == 1
    urls = [attrs[name] for tag, attrs in page.elements for name in ('src', 'href')
            if name in attrs and tag not in ('video', 'a')]
    assert urls and all(url.startswith('data:image/jpeg;base64,') for url in urls)
    assert 'http' not in re.sub('<meta http-equiv', '<meta', page.text)
    assert page.text.count('<article id="video-') == 2 and not list(tmp_path.glob('*.part'))


def test_what_comes_from_outside_is_text(clip, tmp_path):
    name = tmp_path / EVIL.replace('/', '\u2215')
    shutil.copy(clip, name)
    write_report([result(name, labels=[dict(label=0, name=EVIL_NAME, score=1.0)]),
                  VideoResult(EVIL, error=f'{EVIL}: broken')],
                 tmp_path / 'report.html', title=EVIL)
    page = Page(tmp_path / 'report.html')
    assert len(page.all('script')) == 1 and not page.all('img', src='x')
    assert html.escape(EVIL) in page.text and html.escape(EVIL_NAME) in page.text
    assert (tmp_path / unquote(page.all('video')[0]['src'])).samefile(name)


def test_folder_has_an_index_and_names_what_failed(clip, tmp_path):
    write_report([result(clip), VideoResult('bad.mp4', error='bad.mp4 has no frames'),
                  result(clip, gmacs=2.0)], tmp_path / 'report.html')
    page = Page(tmp_path / 'report.html')
    links = [attrs['href'] for attrs in page.all('a')]
    assert links == ['#failed', '#video-1', '#video-3']
    ids = {attrs['id'] for _, attrs in page.elements if 'id' in attrs}
    assert ids == {'video-1', 'video-3', 'failed'}
    assert '<dt>bad.mp4</dt><dd>bad.mp4 has no frames</dd>' in page.text
    assert '1.62 GMACs and 3 frames read a video' in page.text
    assert {video['preload'] for video in page.all('video')} == {'none'}


def test_what_a_method_or_a_file_lacks_is_left_out(clip, tmp_path):
    frames = [dict(index=3, seconds=0.35)]
    write_report([
        result(clip, saliency=[], frames=frames),  # a method without saliency and patches
        result(clip, saliency=[], frames=[], exit_step=2),
        result(clip, has_audio=False),
        result(tmp_path / 'gone.mp4'),
        result(clip, frames=[dict(index=999, seconds=1.0)]),  # another file by now
        result('<array>', gmacs=None, duration_seconds=None),
    ], tmp_path / 'report.html')
    parts = Page(tmp_path / 'report.html').text.split('<article')[1:]
    assert parts[0].count('class="point chosen"') == 1 and 'class="patch"' not in parts[0]
    assert 'class="timeline"' not in parts[1] and 'after 2 frames' in parts[1]
    assert '<image' not in parts[2] and parts[2].count('<img') == 2
    assert 'not there any more' in parts[3] and '<video' not in parts[3] and '1.23' in parts[3]
    assert 'could not be read again' in parts[4] and '1.23' in parts[4]
    assert '<video' not in parts[5]
    write_report([], tmp_path / 'empty.html')
    assert '0 videos' in Page(tmp_path / 'empty.html').text


def test_file_names_that_are_no_text(clip, tmp_path):
    name = os.fsencode(tmp_path) + b'/\xff.webm'
    try:
        shutil.copy(clip, name)
    except OSError:
        pytest.skip('this file system takes text names only')
    write_report([result(os.fsdecode(name))], tmp_path / 'report.html')
    assert '/%FF.webm' in '/' + Page(tmp_path / 'report.html').all('video')[0]['src']


# What a user does, and what comes of it, as attributes of the body.
DRIVER = '''<script>
const body = document.body.dataset, video = document.querySelector('video');
const points = [...document.querySelectorAll('.point')];
const key = name => document.activeElement.dispatchEvent(
  new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
const jumped = target => {
  target.click();
  return video.currentTime;
};
const drive = () => {
  points[0].focus();
  key('ArrowRight');
  body.right = points.indexOf(document.activeElement);
  body.pressed = jumped(document.activeElement);
  key('End'); key('ArrowRight');
  body.end = points.indexOf(document.activeElement);
  key('ArrowLeft');
  body.left = points.indexOf(document.activeElement);
  key('Home');
  body.home = points.indexOf(document.activeElement);
  body.stops = points.filter(point => point.tabIndex === 0).length;
  body.frame = jumped(document.querySelectorAll('.frames button')[1]);
  video.addEventListener('seeking', () => {
    body.now = document.querySelector('.now').style.left;
  });
};
video.readyState ? drive() : video.addEventListener('loadedmetadata', drive);
</script>'''


def browse(page, *flags):
    done = subprocess.run(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
         '--timeout=20000', *flags, page.as_uri()], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason='needs Chromium, for example: apt-get install chromium')


@needs_chromium
def test_jumps_in_a_browser(clip, tmp_path):
    page = tmp_path / 'report.html'
    write_report([result(clip)], page)
    # The page's own policy would not let the driver run.
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', '', page.read_text())
    page.write_text(text.replace('</body>', f'{DRIVER}</body>'))
    dom = browse(page, '--virtual-time-budget=10000', '--dump-dom')
    found = dict(re.findall(r'data-(\w+)="([^"]*)"', re.search('<body[^>]*>', dom)[0]))
    assert {name: found.get(name) for name in ('right', 'end', 'left', 'home', 'stops')} == dict(
        right='1', end='3', left='2', home='0', stops='1')
    assert (float(found['pressed']), float(found['frame'])) == (0.75, 1.75)
    assert float(found['now'].rstrip('%')) == pytest.approx(87.5)


@needs_chromium
def test_nothing_from_outside_runs_in_a_browser(clip, tmp_path):
    page = tmp_path / 'report.html'
    write_report([result(clip, labels=[dict(label=0, name=EVIL_NAME, score=1.0)])], page,
                 title=EVIL)
    assert '<title>hacked' not in browse(page, '--dump-dom')
    # Were the escaping broken, the policy would still hold; the page's own script runs under it.
    page.write_text(page.read_text().replace('</main>', f'{EVIL_NAME}{EVIL}</main>'))
    dom = browse(page, '--virtual-time-budget=3000', '--dump-dom')
    assert '<title>hacked' not in dom and 'poster="data:' in dom


@needs_chromium
def test_screenshots(glancebench, tmp_path, monkeypatch):
    """Light and dark, of what a model says of a GlanceBench video.

    docs/report.png is the light one: AVGN_MM_SCREENSHOT says where to keep it, AVGN_MM_WEIGHTS
    names a checkpoint of the config; without it the model knows nothing.
    """
    inferencer = AVInferencer(
        str(ROOT / 'configs/avgn/avgn_glancebench-mini.py'), os.environ.get('AVGN_MM_WEIGHTS'),
        device='cpu', label_file=str(glancebench / 'classes.txt'), show_progress=False)
    monkeypatch.chdir(glancebench)  # file names as a user would see them
    inferencer('videos/test/000000.mp4')  # what is built at the first use is not of interest
    page = tmp_path / 'report.html'
    write_report(inferencer('videos/test/000000.mp4'), page)
    brightness = []
    for scheme, name in ((1, 'light.png'), (0, 'dark.png')):
        browse(page, f'--blink-settings=preferredColorScheme={scheme}', '--window-size=1100,1080',
               '--virtual-time-budget=3000', f'--screenshot={tmp_path / name}')
        picture = cv2.imread(str(tmp_path / name))
        assert picture.shape == (1080, 1100, 3)
        brightness.append(float(np.median(picture)))
    assert brightness[0] > 230 and brightness[1] < 40
    keep = os.environ.get('AVGN_MM_SCREENSHOT')
    if keep:
        shutil.copy(tmp_path / 'light.png', keep)
