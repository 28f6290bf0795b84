"""What every report has: the head of the page, its styles, its script."""

from string import Template

# No script but the one of that hash runs, and nothing is loaded but videos from disk.
HEAD = Template('''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
media-src 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-$script_hash'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
''')

STYLE = '''
:root { --back: #fff; --text: #1c1d21; --soft: #5b5f6b; --line: #d5d8df; --card: #f5f6f8;
  --mark: #c2410c; --on-mark: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --back: #131418; --text: #e9eaee; --soft: #a3a8b5; --line: #3a3d47; --card: #1d1f25;
    --mark: #ff8a5c; --on-mark: #131418; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; margin: 0 0 .7rem; }
h3, caption { font-size: .85rem; font-weight: 600; color: var(--soft); text-align: left;
  margin: .8rem 0 .3rem; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
article, #failed { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 1rem; margin: 1.2rem 0; }
.columns { display: grid; grid-template-columns: minmax(0, 2fr) minmax(220px, 1fr); gap: 1.2rem; }
@media (max-width: 760px) { .columns { grid-template-columns: minmax(0, 1fr); } }
video { display: block; width: 100%; max-height: 420px; background: #000; }
.note { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .6rem .15rem 0; text-align: left; font-weight: normal; vertical-align: top;
  overflow-wrap: anywhere; }
.index tr { border-bottom: 1px solid var(--line); }
.index thead th { font-weight: 600; }
.index th[scope=row] { min-width: 14rem; }
.failed td, dd { color: var(--mark); }
dt, dd { overflow-wrap: anywhere; }
meter { width: 5rem; }
.timeline { position: relative; margin: 10px 0; }
.timeline svg { display: block; width: 100%; height: auto; overflow: visible;
  border-bottom: 1px solid var(--line); }
polyline { fill: none; stroke: var(--soft); stroke-width: 2; }
.now { position: absolute; top: 0; bottom: 0; width: 2px; background: var(--mark);
  pointer-events: none; }
.point { position: absolute; transform: translate(-50%, -50%); width: 14px; height: 14px;
  padding: 0; border: 2px solid var(--text); border-radius: 50%; background: var(--back);
  cursor: pointer; }
.point.chosen { width: 22px; height: 22px; border-color: var(--mark); background: var(--mark);
  color: var(--on-mark); font: 600 12px/1 system-ui, sans-serif; }
.frames { list-style: none; display: flex; flex-wrap: wrap; gap: .7rem; padding: 0; margin: 0; }
.frames button { background: none; color: inherit; font: inherit; border: 0; padding: 0;
  cursor: pointer; text-align: left; }
.frame { position: relative; display: block; }
.frame img { display: block; width: 200px; height: auto; }
.patch { position: absolute; border: 2px solid #ff5a1f; box-shadow: 0 0 0 1px #fff; }
@media print { article { break-inside: avoid; } video { display: none; } }
'''

SCRIPT = '''
'use strict';
for (const article of document.querySelectorAll('article')) {
  const video = article.querySelector('video');
  const timeline = article.querySelector('.timeline');
  const points = [...article.querySelectorAll('.point')];
  if (video) {
    const first = article.querySelector('.frames img');
    if (first) video.poster = first.src;
    article.addEventListener('click', event => {
      const target = event.target.closest('[data-seconds]');
      if (!target) return;
      if (!video.readyState && video.preload === 'none') {
        video.preload = 'auto';
        video.load();
      }
      video.currentTime = Number(target.dataset.seconds);
      if (!target.classList.contains('point')) video.scrollIntoView({block: 'nearest'});
    });
    video.addEventListener('error', () => {
      video.hidden = true;
      article.querySelector('.note').hidden = false;
    });
  }
  if (video && timeline) {
    const now = timeline.querySelector('.now');
    const follow = () => {
      now.hidden = false;
      now.style.left = 100 * Math.min(1, video.currentTime / timeline.dataset.duration) + '%';
    };
    video.addEventListener('timeupdate', follow);
    video.addEventListener('seeking', follow);
  }
  // One stop for the Tab key; the arrow keys go from point to point.
  points.forEach((point, i) => point.addEventListener('keydown', event => {
    const next = {ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: points.length - 1}[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (!points[next]) return;
    points.forEach(other => { other.tabIndex = -1; });
    points[next].tabIndex = 0;
    points[next].focus();
  }));
}
'''
