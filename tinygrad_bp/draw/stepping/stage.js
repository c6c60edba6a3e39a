"use strict";
// The picture: zoom, pan, and folding of modules. Places come from the layout; a folded module
// takes the height of a box, and what lies below moves up by a map of heights that keeps all order.

const $ = (id) => document.getElementById(id);
const svg = $("picture");
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const FOLDED = 52;

const stage = {
  width: +svg.dataset.width,
  height: +svg.dataset.height,
  now: +svg.dataset.height,
  view: null,
  folded: new Set(),
};
const boxes = new Map(all(".box", svg).map((g) => [g.dataset.key, {
  g, key: g.dataset.key, frame: g.dataset.frame, x: +g.dataset.x, y: +g.dataset.y, h: +g.dataset.h,
}]));
const frames = new Map(all(".frame", svg).map((g) => [g.dataset.key, {
  g, key: g.dataset.key, x: +g.dataset.x, y: +g.dataset.y, w: +g.dataset.w, h: +g.dataset.h,
}]));
const arrows = all(".arrow", svg).map((p) => ({
  p, tail: p.dataset.tail, head: p.dataset.head, d: p.getAttribute("d"), points: null,
}));

// The outermost folded module that a frame, or a box in it, lies in.
function hiddenIn(key) {
  let found = null;
  for (; key; key = story.frames[key].parent) if (stage.folded.has(key)) found = key;
  return found;
}

// How heights are squeezed: what no visible thing needs, within folded modules, shrinks.
function squeezed() {
  const open = [...frames.values()].filter((f) => !hiddenIn(f.key));
  const shut = [...frames.values()].filter((f) => hiddenIn(f.key) === f.key);
  const needed = [...boxes.values()].filter((b) => !hiddenIn(b.frame))
    .map((b) => [b.y - b.h / 2 - 10, b.y + b.h / 2 + 10]);
  for (const f of open) needed.push([f.y - 4, f.y + 24], [f.y + f.h - 12, f.y + f.h + 4]);
  const cuts = [0, stage.height, ...needed.flat(), ...shut.flatMap((f) => [f.y, f.y + f.h])]
    .filter((y) => y >= 0 && y <= stage.height).sort((a, b) => a - b);
  const spans = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [a, b] = [cuts[i], cuts[i + 1]];
    if (b - a < 1e-6) continue;
    const y = (a + b) / 2;
    spans.push({ a, b, fixed: needed.some(([s, e]) => s < y && y < e) });
  }
  const density = (span) => {
    const y = (span.a + span.b) / 2;
    const around = shut.filter((f) => f.y < y && y < f.y + f.h);
    if (span.fixed || !around.length) return 1;
    return Math.max(...around.map((f) => {
      const inside = spans.filter((s) => s.a >= f.y && s.b <= f.y + f.h);
      const length = (kept) =>
        inside.filter((s) => s.fixed === kept).reduce((t, s) => t + s.b - s.a, 0);
      return Math.min(1, Math.max(0, FOLDED - length(true)) / length(false));
    }));
  };
  let end = 0;
  const pieces = spans.map((span) => {
    const piece = { a: span.a, b: span.b, start: end, rate: density(span) };
    end += (span.b - span.a) * piece.rate;
    return piece;
  });
  const map = (y) => {
    const p = pieces.find((q) => y <= q.b) || pieces[pieces.length - 1];
    return p.start + (y - p.a) * p.rate;
  };
  return { map, end };
}

function drawFolds() {
  const any = stage.folded.size > 0;
  const { map, end } = any ? squeezed() : { map: (y) => y, end: stage.height };
  stage.now = end;
  for (const b of boxes.values()) {
    b.g.style.display = hiddenIn(b.frame) ? "none" : "";
    b.g.setAttribute("transform", `translate(${b.x},${map(b.y)})`);
  }
  for (const f of frames.values()) {
    const shut = stage.folded.has(f.key);
    f.g.style.display = $(`title-${f.key}`).style.display =
      hiddenIn(story.frames[f.key].parent) ? "none" : "";
    for (const part of [f.g, $(`title-${f.key}`)]) part.classList.toggle("folded", shut);
    f.g.setAttribute("aria-expanded", String(!shut));
    const title = $(`title-${f.key}`), sum = f.g.querySelector(".sum"), middle = f.x + f.w / 2;
    f.shut = !shut ? null : rectangle(middle, (map(f.y) + map(f.y + f.h)) / 2, f);
    const { x, y, w, h } = f.shut || { x: f.x, y: map(f.y), w: f.w, h: map(f.y + f.h) - map(f.y) };
    const rect = f.g.querySelector("rect");
    for (const [k, v] of Object.entries({ x, y, width: w, height: h })) rect.setAttribute(k, v);
    title.setAttribute("y", shut ? y + h / 2 - 5 : y + 17);
    title.setAttribute("x", shut ? middle : f.x + 10);
    title.style.textAnchor = shut ? "middle" : "start";
    title.querySelector(".sign").textContent = shut ? "▸" : "▾";
    sum.setAttribute("y", y + h / 2 + 13);
    sum.textContent = shut ? contents(f.key) : "";
  }
  for (const a of arrows) drawArrow(a, map, any);
  $("fold").textContent = any ? "Unfold all modules" : "Fold all modules";
}

function rectangle(x, y, f) { // about a middle, no larger than the module was
  const w = Math.min(f.w, Math.max(170, 8 * (story.frames[f.key].title.length + 4)));
  const h = Math.min(f.h, FOLDED - 6);
  return { x: x - w / 2, y: y - h / 2, w, h };
}

// Where a line from a point to the middle of a rectangle meets its border.
function border(r, from) {
  const cx = r.x + r.w / 2, cy = r.y + r.h / 2, dx = from.x - cx, dy = from.y - cy;
  const t = Math.min(r.w / 2 / (Math.abs(dx) || 1e-9), r.h / 2 / (Math.abs(dy) || 1e-9), 1);
  return { x: cx + dx * t, y: cy + dy * t };
}

// An arrow from or to a folded module ends at its border; one within it is not there.
function drawArrow(a, map, any) {
  const tail = hiddenIn(boxes.get(a.tail).frame), head = hiddenIn(boxes.get(a.head).frame);
  a.p.style.display = tail && tail === head ? "none" : "";
  if (!any) return a.p.setAttribute("d", a.d);
  if (!a.points) {
    a.p.setAttribute("d", a.d);
    const length = a.p.getTotalLength(), n = Math.max(24, Math.ceil(length / 6));
    a.points = Array.from({ length: n + 1 }, (_, i) => a.p.getPointAtLength(length * i / n));
  }
  const within = (key, q) => {
    const f = frames.get(key);
    return f && q.x > f.x && q.x < f.x + f.w && q.y > f.y && q.y < f.y + f.h;
  };
  const kept = a.points.filter((q) => !within(tail, q) && !within(head, q))
    .map((q) => ({ x: q.x, y: map(q.y) }));
  const centre = ({ x, y, w, h }) => ({ x: x + w / 2, y: y + h / 2 });
  const [from, to] = [tail, head].map((key) => key && frames.get(key).shut);
  const first = from ? [border(from, kept[0] || centre(to))] : [];
  const last = to ? [border(to, kept[kept.length - 1] || centre(from))] : [];
  const points = [...first, ...kept, ...last];
  for (let round = 0; round < 12; round++) { // round off where heights are squeezed
    for (let i = 1; i + 1 < points.length; i++) {
      const [p, q] = [points[i - 1], points[i + 1]];
      points[i] = { x: (p.x + 2 * points[i].x + q.x) / 4, y: (p.y + 2 * points[i].y + q.y) / 4 };
    }
  }
  a.p.setAttribute("d", "M" + points.map((q) => `${q.x.toFixed(1)},${q.y.toFixed(1)}`).join(" L"));
}

function contents(key) {
  const inside = [...boxes.values()].filter((b) => {
    for (let k = b.frame; k; k = story.frames[k].parent) if (k === key) return true;
    return false;
  });
  const count = (n, word) => (n ? [`${n} ${word}${n > 1 ? "s" : ""}`] : []);
  const of = (role) => inside.filter((b) => role(story.boxes[b.key].role)).length;
  return [...count(of((r) => r === "operation" || r === "output"), "operation"),
    ...count(of((r) => r === "parameter"), "parameter")].join(" · ");
}

function fold(keys, shut) {
  for (const key of keys) shut ? stage.folded.add(key) : stage.folded.delete(key);
  drawFolds();
  showAll();
  paint();
}

function toggle(key) {
  const shut = !stage.folded.has(key);
  fold([key], shut);
  say(`${story.frames[key].title} ${shut ? `folded: ${contents(key)}` : "unfolded"}`);
}

// The part of the picture that is seen, as x, y, width and height.
function look(view) {
  stage.view = view;
  svg.setAttribute("viewBox", view.map((v) => v.toFixed(2)).join(" "));
}

function showAll() {
  const margin = 18, { width, height } = svg.getBoundingClientRect();
  let w = stage.width + 2 * margin, h = stage.now + 2 * margin;
  if (width && height) { // at most one and a half times its size
    w = Math.max(w, width / 1.5);
    h = Math.max(h, height / 1.5);
  }
  look([(stage.width - w) / 2, (stage.now - h) / 2, w, h]);
}

// At first all of it, or of a large graph the top, as large as can be read.
function firstLook() {
  showAll();
  const scale = svg.getScreenCTM().a, { width, height } = svg.getBoundingClientRect();
  if (scale >= 0.55 || !width) return;
  const w = width / 0.8, top = boxes.values().next().value;
  const left = stage.width < w ? (stage.width - w) / 2
    : Math.min(Math.max(top.x - w / 2, -18), stage.width + 18 - w);
  look([left, -18, w, height / 0.8]);
}

function zoom(factor, x, y) {
  const [x0, y0, w, h] = stage.view;
  if (w * factor < 60 || w * factor > 60 * stage.width) return;
  const [cx, cy] = x === undefined ? [x0 + w / 2, y0 + h / 2] : [x, y];
  look([cx - (cx - x0) * factor, cy - (cy - y0) * factor, w * factor, h * factor]);
}

function inPicture(event) {
  const m = svg.getScreenCTM().inverse();
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(m);
}

// Move the picture so that a thing in it is seen, if it is not.
function reveal(g) {
  const box = g.getBoundingClientRect(), seen = svg.getBoundingClientRect();
  const scale = svg.getScreenCTM().a;
  const out = (a, b, from, to) => (a < from + 12 ? a - from - 60 : b > to - 12 ? b - to + 60 : 0);
  const dx = out(box.left, box.right, seen.left, seen.right);
  const dy = out(box.top, box.bottom, seen.top, seen.bottom);
  const [x, y, w, h] = stage.view;
  if (dx || dy) look([x + dx / scale, y + dy / scale, w, h]);
}

let drag = null;
svg.addEventListener("pointerdown", (e) => {
  drag = { x: e.clientX, y: e.clientY, view: stage.view, moved: false };
});
svg.addEventListener("pointermove", (e) => {
  if (!drag) return;
  const dx = e.clientX - drag.x, dy = e.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) < 5) return;
  if (!drag.moved) svg.setPointerCapture(e.pointerId);
  drag.moved = true;
  svg.classList.add("dragged");
  const scale = svg.getScreenCTM().a, [x, y, w, h] = drag.view;
  look([x - dx / scale, y - dy / scale, w, h]);
});
for (const kind of ["pointerup", "pointercancel"]) {
  svg.addEventListener(kind, () => {
    svg.classList.remove("dragged");
    stage.dragged = drag !== null && drag.moved; // the click that follows is none
    drag = null;
  });
}
svg.addEventListener("wheel", (e) => {
  e.preventDefault();
  const { x, y } = inPicture(e);
  zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 250), x, y);
}, { passive: false });
$("in").addEventListener("click", () => zoom(0.8));
$("out").addEventListener("click", () => zoom(1.25));
$("fit").addEventListener("click", showAll);
firstLook();
new ResizeObserver(() => { firstLook(); paint(); }).observe(svg);
