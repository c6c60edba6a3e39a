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
  return last && { id: last.total ?? last.value, whole: false, there: there.length, of: parts.length };
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
const RAISED = Object.fromEntries([..."0123456789-"].map((c, i) => [c, "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"[i]]));
const digits = (x) => typeof x === "boolean" ? String(x)
  : (x && Math.abs(x) < 1e-4 ? x.toExponential() : String(x)).replace("inf", "∞")
  .replace(/e\+?(-?)(\d+)$/, (_, sign, n) => ` · 10${[...sign + n].map((c) => RAISED[c]).join("")}`)
  .replace("-", "−");
const flat = (x) => (Array.isArray(x) ? x.flatMap(flat) : [x]);
const dark = () => document.documentElement.dataset.theme === "dark";

// Blue below zero, white (or black) at zero, red above it; black to white for images.
function colour(t, grey) {
  if (grey) { const v = Math.round(127.5 * (t + 1)); return [v, v, v]; }
  const zero = dark() ? [38, 45, 53] : [247, 247, 247];
  const end = t < 0 ? (dark() ? [86, 180, 233] : [33, 102, 172]) : dark() ? [255, 122, 92] : [178, 24, 43];
  return zero.map((z, i) => Math.round(z + Math.min(1, Math.abs(t)) * (end[i] - z)));
}

// A few words for a box of the picture and for those who listen.
function brief(e) {
  if (e.all !== undefined && flat(e.all).length === 1) return digits(flat(e.all)[0]);
  return e.bad ? `${e.bad} not finite` : `norm ${digits(e.norm)}`;
}

function matrix(e) {
  const numbers = flat(e.all).filter((x) => Number.isFinite(x)).map(Math.abs);
  const top = Math.max(...numbers, 0) || 1;
  const rows = e.shape.length === 2 ? e.all : [e.all];
  return make("table", { class: rows.length === 1 ? "matrix vector" : "matrix", "aria-label": `${e.shape.join(" × ")} numbers` },
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((x) => {
      const cell = make("td", {}, digits(x));
      const t = Number.isFinite(x) ? x / top : 0;
      cell.style.background = `rgb(${colour(t * 0.55, false)})`;
      if (!Number.isFinite(x) && typeof x !== "boolean") cell.className = "bad";
      return cell;
    })))));
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
  return make("div", {}, canvas, make("div", { class: "note" }, words));
}

// An array: a number, numbers in rows, or figures and colours.
function show(id) {
  const e = entry(id), parts = [];
  const one = e.all !== undefined && flat(e.all).length === 1;
  if (one) parts.push(make("div", { class: "scalar" }, digits(flat(e.all)[0])));
  else if (e.all !== undefined && flat(e.all).length) parts.push(matrix(e));
  else if (e.all === undefined) {
    if (e.low === e.high && !e.bad) parts.push(make("div", { class: "figures" }, `all ${digits(e.low)}`));
    else parts.push(make("div", { class: "figures" },
      make("span", {}, `from ${digits(e.low)} to ${digits(e.high)}`),
      make("span", {}, `mean ${digits(e.mean)}, norm ${digits(e.norm)}`)));
  } else parts.push(make("div", { class: "note" }, "no elements"));
  if (e.bad) parts.push(make("div", { class: "bad" }, `${e.bad} not finite`));
  if (e.what) parts.push(make("div", { class: "note" }, e.what));
  if (e.map) parts.push(map(e.map));
  return make("div", { class: "shown", "data-value": id }, ...parts);
}

const formula = (html, kind = "") => make("div", { class: `formula ${kind}`, html });
const ofSample = (id) => story.values[id].each && state.sample >= 0 ? `sample ${state.sample}` : "";
function item(key, ...content) {
  const b = story.boxes[key];
  return make("div", { class: "item" },
    make("div", { class: "name" }, b.number ? "" : make("span", { html: b.math }),
      make("b", {}, b.name), make("i", {}, b.number ? "a number" : b.facts),
      make("i", {}, ofSample(b.value))), ...content);
}

function panel() {
  const s = story.steps[state.step], out = $("panel"), phases = { forward, backward, start, end };
  document.body.classList.toggle("backward", s.phase === "backward" || s.phase === "end");
  out.replaceChildren(...phases[s.phase](s));
  out.scrollTop = 0;
}

function heading(phase, text, box) {
  const parts = [make("h2", {}, make("span", { class: "phase" }, phase), ` ${text}`)];
  if (box) parts.push(make("p", { class: "where" }, [box.where, box.options].filter(Boolean).join(" · ")));
  return parts;
}

function start() {
  const leaves = Object.values(story.boxes).filter((b) => b.where === undefined && !b.number);
  return [...heading("Start:", "what goes in"),
    make("p", {}, "The forward pass computes one value after another, down to the loss ",
      make("span", { html: story.boxes[story.loss].math }),
      ". The backward pass then goes the other way, and brings to each value its cotangent: how much the loss changes with it."),
    make("dl", {}, ...leaves.flatMap((b) => [make("dt", { html: b.math }),
      make("dd", {}, b.name === "constant" ? "" : make("b", {}, b.name), b.name === "constant" ? b.facts : ` ${b.facts}`)])),
    make("p", { class: "note keys" }, ...[["→", "next step"], ["←", "back"], ["P", "play"], ["F", "fold"],
      ["T", "table"], ["+", ""], ["−", ""], ["0", "zoom"]].map(([key, what]) =>
      make("span", {}, make("kbd", {}, key), what && ` ${what}`)))];
}

function forward(s) {
  const b = story.boxes[s.box], k = state.step;
  return [...heading(`Forward ${k} of ${operations}:`, b.name, b), formula(s.formula),
    make("h3", {}, "Its inputs"), ...[...new Set(s.inputs)].map((key) => item(key, story.boxes[key].number ? "" : show(story.boxes[key].value))),
    make("h3", {}, "Its value"), item(s.box, show(b.value))].filter(Boolean);
}

function backward(s) {
  const b = story.boxes[s.box], first = s.box === story.loss;
  const nth = state.step - operations, count = Object.keys(backwardAt).length;
  const where = first ? "Here the pass starts."
    : s.paths > 1 ? `The sum of what came along ${s.paths} paths.` : "It came along one path.";
  return [...heading(`Backward ${nth} of ${count}:`, b.name, b),
    formula(story.steps[forwardAt[s.box]].formula, "recall"),
    make("h3", {}, "The cotangent that comes in, of ", make("span", { html: b.math })),
    make("div", { class: "item" }, make("div", { class: "name" }, make("span", { html: b.bar }), make("i", {}, where, " ", ofSample(b.gradient))), show(b.gradient)),
    make("h3", {}, "What flows on, by its rules"), ...s.sent.map(sent),
    s.sent.length ? null : make("p", { class: "note" }, "Nothing: no input needs a gradient.")].filter(Boolean);
}

function sent(part) {
  const b = story.boxes[part.to], parts = [formula(part.formula), show(part.value)];
  if (part.paths > 1) {
    const more = part.nth < part.paths ? `${part.paths - part.nth} more to come` : "that is all of it";
    parts.push(make("p", { class: "note" }, `Path ${part.nth} of ${part.paths} to here; ${more}.`));
    if (part.nth > 1) parts.push(make("div", { class: "name" }, make("i", {}, "Added up:")), show(part.total));
  }
  return make("div", { class: "item sent" },
    make("div", { class: "name" }, "to ", make("span", { html: b.math }), make("b", {}, b.name),
      make("i", {}, ofSample(part.value))), ...parts);
}

function end() {
  const leaves = Object.entries(story.boxes).filter(([, b]) => b.where === undefined && b.gradient !== undefined);
  return [...heading("Done:", "the gradients"),
    make("p", { class: "note" }, "What an optimizer gets: the gradient of each parameter and input that asked for one."),
    ...leaves.map(([, b]) => make("div", { class: "item" },
      make("div", { class: "name" }, make("span", { html: b.bar }), make("b", {}, b.name),
        make("i", {}, b.facts, " ", ofSample(b.gradient))), show(b.gradient)))];
}
