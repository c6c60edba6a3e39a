"use strict";
// Numbers and marks on the picture, the tables, what is said aloud, and what hovering shows.

// What stands before numbers alone, and not before words: "= 2.5", "norm 3".
const NUMBER = /^([−∞.· \d⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|nan|true|false)$/;
const equals = (text) => (NUMBER.test(text) ? `= ${text}` : text);

function paint() {
  const s = story.steps[state.step];
  for (const { g, key } of boxes.values()) paintBox(g, key, s.box === key);
  for (const f of frames.values()) f.g.classList.remove("now");
  for (const a of arrows) {
    a.p.classList.remove("flow", "flow-back", "passed");
    a.p.classList.toggle("later", !known(a.head));
  }
  story.steps.slice(0, state.step + 1).forEach((t, k) => {
    const kind = k === state.step ? "flow-back" : "passed";
    for (const part of t.sent || []) arrows[into[t.box][part.position]].p.classList.add(kind);
  });
  if (s.phase === "forward") for (const k of into[s.box] || []) arrows[k].p.classList.add("flow");
  if (s.box) {
    const frame = hiddenIn(story.boxes[s.box].frame);
    const { g } = frame ? frames.get(frame) : boxes.get(s.box);
    g.classList.add("now");
    reveal(g);
  }
}

function paintBox(g, key, now) {
  const b = story.boxes[key], c = cotangent(key), there = known(key);
  g.classList.toggle("later", !there);
  g.classList.toggle("now", now);
  g.classList.toggle("taken", c !== undefined && c.whole);
  const value = there ? entry(b.value) : null, gradient = c ? entry(c.id) : null;
  write(g, ".value", value, value && equals(brief(value)));
  write(g, ".gradient", gradient, gradient && `∂ ${brief(gradient)}${c.whole ? "" : " + …"}`);
  const words = [b.name, b.say, b.facts];
  if (value) words.push(`value ${brief(value)}`);
  if (gradient) words.push(`gradient ${brief(gradient)}`);
  const part = c && !c.whole ? ` from ${c.there} of ${c.of} paths` : "";
  g.setAttribute("aria-label", words.join(", ") + part);
}

// A line of a box; one that would not fit is set closer.
function write(g, selector, e, words) {
  const text = g.querySelector(selector);
  if (!text) return;
  text.textContent = words || "";
  text.classList.toggle("bad", e !== null && e.bad > 0);
  text.removeAttribute("textLength");
  const room = g.querySelector("rect").getAttribute("width") - 16;
  if (text.textContent.length < 18 || text.getComputedTextLength() <= room) return;
  text.setAttribute("textLength", room);
  text.setAttribute("lengthAdjust", "spacingAndGlyphs");
}

function summary() {
  const s = story.steps[state.step], b = s.box && story.boxes[s.box];
  if (s.phase === "start") return "Start: what goes in.";
  if (s.phase === "end") return "Done: all gradients are there.";
  if (s.phase === "forward") {
    const names = s.inputs.map((key) => story.boxes[key].say).join(" and ");
    return `Forward, ${b.name}: ${b.say} from ${names}. Value ${brief(entry(b.value))}.`;
  }
  const sums = (part) => (part.nth > 1 ? `, together ${brief(entry(part.total))}` : "");
  const to = s.sent.map((part) =>
    `to ${story.boxes[part.to].say} flows ${brief(entry(part.value))}${sums(part)}`);
  const gradient = `the cotangent of ${b.say} is ${brief(entry(b.gradient))}`;
  return `Backward, ${b.name}: ${[gradient, ...to].join("; ")}.`;
}

let saying = 0;
function say(text) { // once things come to rest, so that a slider does not say every step
  clearTimeout(saying);
  saying = setTimeout(() => { $("live").textContent = text; }, 150);
}

const cell = (...content) => make("td", {}, ...content);
function table(caption, columns, rows) {
  const heads = columns.map((c) => make("th", { scope: "col" }, c));
  return make("table", { class: "list" }, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

function valueRow([key, b]) {
  const c = cotangent(key), none = b.gradient === undefined ? "none" : "not yet";
  return make("tr", { "data-key": key }, cell(maths(b.math)), make("th", { scope: "row" }, b.name),
    cell(b.facts), cell(known(key) ? show(b.value) : "not yet"), cell(c ? show(c.id) : none));
}

function stepRow(s, k) {
  const row = make("tr", { class: "step", "data-step": k }), b = story.boxes[s.box];
  if (k === state.step) row.setAttribute("aria-current", "step");
  const jump = make("button", { type: "button" }, String(k));
  jump.addEventListener("click", () => {
    go(k);
    $("tables").querySelector(`[data-step="${k}"] button`).focus();
  });
  const sent = s.sent || [], formulas = s.formula ? [s.formula] : sent.map((part) => part.formula);
  const results = s.formula ? [b.value] : sent.map((part) => part.total ?? part.value);
  row.append(make("th", { scope: "row" }, jump), cell(s.phase), cell(b ? b.name : ""),
    cell(...formulas.map((html) => make("div", { html }))),
    cell(results.map((id) => brief(entry(id))).join("; ")));
  return row;
}

function tables() {
  const chosen = state.sample >= 0 ? `, sample ${state.sample}` : "";
  const values = Object.entries(story.boxes).filter(([, b]) => !b.number).map(valueRow);
  $("tables").replaceChildren(
    table(`Values and gradients after step ${state.step}${chosen}`,
      ["Symbol", "Name", "Shape", "Value", "Gradient"], values),
    table(`Steps${chosen}`, ["Step", "Pass", "Operation", "Formulas", "Result"],
      story.steps.map(stepRow)));
}

function tip(key, g) {
  const b = story.boxes[key], c = cotangent(key), out = $("tip");
  const value = known(key) ? show(b.value) : note("not computed yet");
  out.replaceChildren(item(key, b.number ? "" : value));
  if (b.gradient !== undefined) {
    const what = c && (c.whole ? "gradient" : `${c.there} of ${c.of} paths`);
    out.append(make("div", { class: "name grad" }, maths(b.bar), what || ""),
      c ? show(c.id) : note("the backward pass has not been here yet"));
  }
  out.hidden = false;
  const at = g.getBoundingClientRect(), size = out.getBoundingClientRect(), right = at.right + 12;
  const fits = right + size.width < innerWidth, left = Math.max(8, at.left - size.width - 12);
  out.style.left = `${fits ? right : left}px`;
  out.style.top = `${Math.max(8, Math.min(at.top, innerHeight - size.height - 8))}px`;
}
