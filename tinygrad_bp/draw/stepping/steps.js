"use strict";
// The steps: what the panel, the picture and the tables show at each of them, for a sample or all.

const state = { step: 0, sample: -1, timer: 0 };
const entry = (id) => {
  const e = story.values[id];
  return e.each && state.sample >= 0 ? e.each[state.sample] : e;
};
const operations = Object.values(story.boxes).filter((b) => b.where !== undefined).length;
const into = {}; // the arrows into a box, by position
for (const [k, [, head]] of story.arrows.entries()) (into[head] ||= []).push(k);
const forwardAt = {}, backwardAt = {}, arriving = {};
story.steps.forEach((s, k) => {
  if (s.phase === "forward") forwardAt[s.box] = k;
  if (s.phase === "backward") {
    backwardAt[s.box] = k;
    for (const sent of s.sent) (arriving[sent.to] ||= []).push({ step: k, ...sent });
  }
});

// What is known at a step: whether a value is there, and the cotangent that has arrived so far.
const known = (key) => (forwardAt[key] ?? 0) <= state.step;
function cotangent(key) {
  const box = story.boxes[key], own = backwardAt[key], parts = arriving[key] || [];
  const there = parts.filter((part) => part.step <= state.step);
  if (own <= state.step || (parts.length && there.length === parts.length)) {
    return { id: box.gradient, whole: true };
  }
  const last = there[there.length - 1];
  const id = last && (last.total ?? last.value);
  return last && { id, whole: false, there: there.length, of: parts.length };
}

function make(tag, content = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(content)) {
    if (name === "html") element.innerHTML = value; // formulas alone, which hold no markup of names
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}
const maths = (html) => make("span", { html });
const bold = (text) => make("b", {}, text);
const faint = (...words) => make("i", {}, ...words);
const note = (...words) => make("p", { class: "note" }, ...words);
const named = (...parts) => make("div", { class: "name" }, ...parts);
const title = (...parts) => make("h3", {}, ...parts);
const RAISED = Object.fromEntries([..."0123456789-"].map((c, i) => [c, "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"[i]]));
const digits = (x) => typeof x === "boolean" ? String(x)
  : (x && Math.abs(x) < 1e-4 ? x.toExponential() : String(x)).replace("inf", "∞")
  .replace(/e\+?(-?)(\d+)$/, (_, sign, n) => ` · 10${[...sign + n].map((c) => RAISED[c]).join("")}`)
  .replace("-", "−");
const flat = (x) => (Array.isArray(x) ? x.flatMap(flat) : [x]);
const dark = () => document.documentElement.dataset.theme === "dark";

// Blue below zero, white (or black) at zero, red above it; black to white for images.
const COLOURS = {
  light: { below: [33, 102, 172], zero: [247, 247, 247], above: [178, 24, 43] },
  dark: { below: [86, 180, 233], zero: [38, 45, 53], above: [255, 122, 92] },
};
function colour(t, grey) {
  if (grey) return Array(3).fill(Math.round(127.5 * (t + 1)));
  const { below, zero, above } = COLOURS[dark() ? "dark" : "light"];
  const end = t < 0 ? below : above;
  return zero.map((z, i) => Math.round(z + Math.min(1, Math.abs(t)) * (end[i] - z)));
}

// A few words for a box of the picture and for those who listen.
function brief(e) {
  if (e.all !== undefined && flat(e.all).length === 1) return digits(flat(e.all)[0]);
  return e.bad ? `${e.bad} not finite` : `norm ${digits(e.norm)}`;
}

function matrix(e) {
  const top = Math.max(0, ...flat(e.all).filter(Number.isFinite).map(Math.abs)) || 1;
  const rows = e.shape.length === 2 ? e.all : [e.all];
  const cell = (x) => {
    const finite = Number.isFinite(x), bad = !finite && typeof x !== "boolean";
    const style = `background: rgb(${colour(finite ? (x / top) * 0.55 : 0, false)})`;
    return make("td", { style, class: bad ? "bad" : "" }, digits(x));
  };
  const kind = rows.length === 1 ? "matrix vector" : "matrix";
  const lines = rows.map((row) => make("tr", {}, ...row.map(cell)));
  const label = `${e.shape.join(" × ")} numbers`;
  return make("table", { class: kind, "aria-label": label }, make("tbody", {}, ...lines));
}

function map(m) {
  const bytes = Uint8Array.from(atob(m.b), (c) => c.charCodeAt(0));
  const h = bytes.length / m.w, size = Math.max(1, Math.min(8, Math.floor(280 / m.w)));
  const canvas = make("canvas", { width: m.w, height: h, role: "img",
    "aria-label": `colours of the numbers from ${digits(m.low)} to ${digits(m.high)}` });
  canvas.style.width = `${m.w * size}px`;
  const pixels = new ImageData(m.w, h);
  bytes.forEach((b, i) => {
    const rgb = b === 1 ? [0, 200, 0] : colour((b - 128) / 126, m.grey);
    pixels.data.set([...rgb, b === 0 ? 0 : 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const ends = m.grey ? `black ${digits(m.low)}, white ${digits(m.high)}`
    : `blue ${digits(m.low)}, red ${digits(m.high)}`;
  const words = [m.words === "image" ? "" : m.words, ends].filter(Boolean).join("; ");
  return make("div", {}, canvas, note(words));
}

// An array: a number, numbers in rows, or figures and colours.
function show(id) {
  const e = entry(id), parts = [], full = e.all !== undefined, count = full && flat(e.all).length;
  const figures = (...lines) =>
    make("div", { class: "figures" }, ...lines.map((line) => make("span", {}, line)));
  if (count === 1) parts.push(make("div", { class: "scalar" }, digits(flat(e.all)[0])));
  else if (count) parts.push(matrix(e));
  else if (full) parts.push(note("no elements"));
  else if (e.low === e.high && !e.bad) parts.push(figures(`all ${digits(e.low)}`));
  else {
    const range = `from ${digits(e.low)} to ${digits(e.high)}`;
    parts.push(figures(range, `mean ${digits(e.mean)}, norm ${digits(e.norm)}`));
  }
  if (e.bad) parts.push(make("div", { class: "bad" }, `${e.bad} not finite`));
  if (e.what) parts.push(note(e.what));
  if (e.map) parts.push(map(e.map));
  return make("div", { class: "shown", "data-value": id }, ...parts);
}

const formula = (html, kind = "") => make("div", { class: `formula ${kind}`, html });
const ofSample = (id) => story.values[id].each && state.sample >= 0 ? `sample ${state.sample}` : "";
function item(key, ...content) {
  const b = story.boxes[key], facts = faint(b.number ? "a number" : b.facts);
  const head = named(b.number ? "" : maths(b.math), bold(b.name), facts, faint(ofSample(b.value)));
  return make("div", { class: "item" }, head, ...content);
}

function panel() {
  const s = story.steps[state.step], phases = { forward, backward, start, end };
  document.body.classList.toggle("backward", s.phase === "backward" || s.phase === "end");
  $("panel").replaceChildren(...phases[s.phase](s));
  $("panel").scrollTop = 0;
}

function heading(phase, text, box) {
  const parts = [make("h2", {}, make("span", { class: "phase" }, phase), ` ${text}`)];
  const where = box ? [box.where, box.options].filter(Boolean) : [];
  if (where.length) parts.push(make("p", { class: "where" }, where.join(" · ")));
  return parts;
}

const KEYS = [["→", "next step"], ["←", "back"], ["P", "play"], ["F", "fold"], ["T", "table"],
  ["+", ""], ["−", ""], ["0", "zoom"]];
function start() {
  const leaves = Object.values(story.boxes).filter((b) => b.where === undefined && !b.number);
  const legend = leaves.flatMap((b) => {
    const own = b.name === "constant" ? "" : bold(b.name);
    return [make("dt", { html: b.math }), make("dd", {}, own, ` ${b.facts}`)];
  });
  const keys = KEYS.map(([key, what]) =>
    make("span", {}, make("kbd", {}, key), what && ` ${what}`));
  const loss = maths(story.boxes[story.loss].math);
  return [
    ...heading("Start:", "what goes in"),
    make("p", {}, "The forward pass computes one value after another, down to the loss ", loss,
      ". The backward pass then goes the other way, and brings to each value its cotangent: ",
      "how much the loss changes with it."),
    make("dl", {}, ...legend),
    make("p", { class: "note keys" }, ...keys),
  ];
}

function forward(s) {
  const b = story.boxes[s.box], values = (key) => {
    const x = story.boxes[key];
    return item(key, x.number ? "" : show(x.value));
  };
  return [
    ...heading(`Forward ${state.step} of ${operations}:`, b.name, b), formula(s.formula),
    title("Its inputs"), ...[...new Set(s.inputs)].map(values),
    title("Its value"), item(s.box, show(b.value)),
  ];
}

function backward(s) {
  const b = story.boxes[s.box], nth = state.step - operations;
  const sum = s.paths > 1 && `The sum of what came along ${s.paths} paths.`;
  const how = s.box === story.loss ? "Here the pass starts." : sum || "It came along one path.";
  const nothing = s.sent.length ? [] : [note("Nothing: no input needs a gradient.")];
  return [
    ...heading(`Backward ${nth} of ${Object.keys(backwardAt).length}:`, b.name, b),
    formula(story.steps[forwardAt[s.box]].formula, "recall"),
    title("The cotangent that comes in, of ", maths(b.math)),
    make("div", { class: "item" }, named(maths(b.bar), faint(how, " ", ofSample(b.gradient))),
      show(b.gradient)),
    title("What flows on, by its rules"), ...s.sent.map(sent), ...nothing,
  ];
}

function sent(part) {
  const b = story.boxes[part.to], parts = [formula(part.formula), show(part.value)];
  const left = part.paths - part.nth, more = left ? `${left} more to come` : "that is all of it";
  if (part.paths > 1) parts.push(note(`Path ${part.nth} of ${part.paths} to here; ${more}.`));
  if (part.nth > 1) parts.push(named(faint("Added up:")), show(part.total));
  const head = named("to ", maths(b.math), bold(b.name), faint(ofSample(part.value)));
  return make("div", { class: "item sent" }, head, ...parts);
}

function end() {
  const leaves = Object.values(story.boxes)
    .filter((b) => b.where === undefined && b.gradient !== undefined);
  const gradients = leaves.map((b) => {
    const head = named(maths(b.bar), bold(b.name), faint(b.facts, " ", ofSample(b.gradient)));
    return make("div", { class: "item" }, head, show(b.gradient));
  });
  const what = "What an optimizer gets: the gradient of all that asked for one.";
  return [...heading("Done:", "the gradients"), note(what), ...gradients];
}
