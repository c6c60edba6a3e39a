"use strict";
// Numbers and marks on the picture, the tables, what is said aloud, and the controls.

function paint() {
  const s = story.steps[state.step], seen = (key) => {
    const frame = hiddenIn(story.boxes[key].frame);
    return frame ? frames.get(frame).g : boxes.get(key).g;
  };
  for (const { g, key } of boxes.values()) {
    const b = story.boxes[key], c = cotangent(key), there = known(key);
    g.classList.toggle("later", !there);
    g.classList.toggle("now", s.box === key);
    g.classList.toggle("taken", c !== undefined && c.whole);
    const [value, gradient] = [g.querySelector(".value"), g.querySelector(".gradient")];
    const figures = there ? brief(entry(b.value)) : "";
    if (value) value.textContent = there ? (/^[−\d∞.· ⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+$|^nan$|^true$|^false$/.test(figures) ? `= ${figures}` : figures) : "";
    for (const [text, id] of [[value, there && b.value], [gradient, c && c.id]]) {
      if (text) text.classList.toggle("bad", Number.isInteger(id) && entry(id).bad > 0);
    }
    if (gradient) {
      gradient.textContent = c ? `∂ ${brief(entry(c.id))}${c.whole ? "" : " + …"}` : "";
    }
    for (const text of [value, gradient]) if (text) narrow(text, g);
    const part = c && !c.whole ? ` from ${c.there} of ${c.of} paths` : "";
    g.setAttribute("aria-label", `${b.name}, ${b.say}, ${b.facts}` +
      (there ? `, value ${figures}` : "") + (c ? `, gradient ${brief(entry(c.id))}${part}` : ""));
  }
  for (const f of frames.values()) f.g.classList.remove("now");
  arrows.forEach((a) => {
    a.p.classList.remove("flow", "flow-back", "passed");
    a.p.classList.toggle("later", !known(a.head));
  });
  story.steps.slice(0, state.step + 1).forEach((t, k) => {
    for (const part of t.sent || []) {
      arrows[into[t.box][part.position]].p.classList.add(k === state.step ? "flow-back" : "passed");
    }
  });
  if (s.phase === "forward") for (const k of into[s.box] || []) arrows[k].p.classList.add("flow");
  if (s.box) {
    seen(s.box).classList.add("now");
    reveal(seen(s.box));
  }
}

// A line that would not fit into its box is set closer.
function narrow(text, g) {
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
  const names = (keys) => keys.map((key) => story.boxes[key].say).join(" and ");
  if (s.phase === "forward") {
    return `Forward, ${b.name}: ${b.say} from ${names(s.inputs)}. Value ${brief(entry(b.value))}.`;
  }
  const to = s.sent.map((part) => `to ${story.boxes[part.to].say} flows ${brief(entry(part.value))}` +
    (part.nth > 1 ? `, together ${brief(entry(part.total))}` : ""));
  return `Backward, ${b.name}: the cotangent of ${b.say} is ${brief(entry(b.gradient))}; ${to.join("; ")}.`;
}

let saying = 0;
function say(text) { // once things come to rest, so that a slider does not say every step
  clearTimeout(saying);
  saying = setTimeout(() => { $("live").textContent = text; }, 150);
}

function go(step) {
  state.step = Math.max(0, Math.min(story.steps.length - 1, step));
  $("slider").value = state.step;
  $("slider").setAttribute("aria-valuetext", summary());
  $("at").textContent = `step ${state.step} of ${story.steps.length - 1}`;
  for (const [id, stop] of [["first", 0], ["back", 0], ["next", story.steps.length - 1], ["final", story.steps.length - 1]]) {
    $(id).disabled = state.step === stop;
  }
  if (state.step === story.steps.length - 1) play(false);
  panel();
  paint();
  if (!$("tables").hidden) tables();
  say(summary());
}

const PAUSE = "M3 3h4v10H3zM9 3h4v10H9z", PLAY = $("play").querySelector("path").getAttribute("d");
function play(on) {
  clearInterval(state.timer);
  state.timer = on ? setInterval(() => go(state.step + 1), 1500) : 0;
  $("play").querySelector("path").setAttribute("d", on ? PAUSE : PLAY);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
}

function table(caption, columns, rows) {
  return make("table", { class: "list" }, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...columns.map((c) => make("th", { scope: "col" }, c)))),
    make("tbody", {}, ...rows));
}
const math = (html) => make("td", { html });
const cell = (...content) => make("td", {}, ...content);

function tables() {
  const steps = story.steps.map((s, k) => {
    const b = story.boxes[s.box], row = make("tr", { class: "step", "data-step": k });
    if (k === state.step) row.setAttribute("aria-current", "step");
    const jump = make("button", { type: "button" }, String(k));
    jump.addEventListener("click", () => { go(k); $("tables").querySelector(`[data-step="${k}"] button`).focus(); });
    const formulas = s.phase === "backward" ? s.sent.map((part) => part.formula).join("<br>") : s.formula || "";
    const numbers = s.phase === "forward" ? brief(entry(b.value))
      : s.phase === "backward" ? s.sent.map((part) => brief(entry(part.total ?? part.value))).join("; ") : "";
    row.append(make("th", { scope: "row" }, jump), cell(s.phase), cell(b ? b.name : ""), math(formulas), cell(numbers));
    return row;
  });
  const values = Object.entries(story.boxes).filter(([, b]) => !b.number).map(([key, b]) => {
    const c = cotangent(key);
    return make("tr", { "data-key": key }, math(b.math), make("th", { scope: "row" }, b.name), cell(b.facts),
      cell(known(key) ? show(b.value) : "not yet"), cell(c ? show(c.id) : b.gradient === undefined ? "none" : "not yet"));
  });
  const chosen = state.sample >= 0 ? `, sample ${state.sample}` : "";
  $("tables").replaceChildren(
    table(`Values and gradients after step ${state.step}${chosen}`, ["Symbol", "Name", "Shape", "Value", "Gradient"], values),
    table(`Steps${chosen}`, ["Step", "Pass", "Operation", "Formulas", "Result"], steps));
}

function tip(key, g) {
  const b = story.boxes[key], c = cotangent(key), out = $("tip");
  out.replaceChildren(item(key, b.number ? "" : known(key) ? show(b.value) : make("div", { class: "note" }, "not computed yet")));
  if (b.gradient !== undefined) {
    out.append(make("div", { class: "name grad" }, make("span", { html: b.bar }), c ? c.whole ? "gradient" : `${c.there} of ${c.of} paths` : ""),
      c ? show(c.id) : make("div", { class: "note" }, "the backward pass has not been here yet"));
  }
  out.hidden = false;
  const at = g.getBoundingClientRect(), size = out.getBoundingClientRect();
  const left = at.right + 12 + size.width < innerWidth ? at.right + 12 : Math.max(8, at.left - size.width - 12);
  out.style.left = `${left}px`;
  out.style.top = `${Math.max(8, Math.min(at.top, innerHeight - size.height - 8))}px`;
}

// A box leads to the step that computed it, or from where its cotangent goes on.
function visit(key) {
  const late = story.steps[state.step].phase === "backward" || state.step === story.steps.length - 1;
  const parts = arriving[key] || [];
  const back = backwardAt[key] ?? (parts.length ? parts[parts.length - 1].step : undefined);
  const step = late ? back ?? forwardAt[key] : forwardAt[key];
  if (step !== undefined) go(step);
}

for (const { g, key } of boxes.values()) {
  for (const kind of ["pointerenter", "focus"]) g.addEventListener(kind, () => tip(key, g));
  for (const kind of ["pointerleave", "blur"]) g.addEventListener(kind, () => { $("tip").hidden = true; });
  g.addEventListener("focus", () => { reveal(g); tip(key, g); });
  press(g, () => visit(key));
}
for (const { g, key } of frames.values()) press(g, () => toggle(key));
function press(g, act) {
  g.addEventListener("click", () => { if (!stage.dragged) act(); });
  g.addEventListener("keydown", (e) => {
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); act(); }
  });
}

const foldAll = () => fold(frames.keys(), stage.folded.size === 0);
function view() {
  const on = $("tables").hidden;
  $("tables").hidden = !on;
  $("stage").hidden = on;
  $("view").setAttribute("aria-pressed", String(on));
  go(state.step);
}
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  go(state.step);
}

$("slider").max = story.steps.length - 1;
$("slider").addEventListener("input", (e) => go(+e.target.value));
$("first").addEventListener("click", () => go(0));
$("back").addEventListener("click", () => go(state.step - 1));
$("next").addEventListener("click", () => go(state.step + 1));
$("final").addEventListener("click", () => go(story.steps.length - 1));
$("play").addEventListener("click", () => play(!state.timer));
$("fold").addEventListener("click", foldAll);
$("view").addEventListener("click", view);
$("theme").addEventListener("click", () => theme(dark() ? "light" : "dark"));
$("sample").addEventListener("change", (e) => { state.sample = +e.target.value; go(state.step); });
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT)$/.test(e.target.tagName)) return;
  const keys = {
    ArrowRight: () => go(state.step + 1), ArrowLeft: () => go(state.step - 1),
    Home: () => go(0), End: () => go(story.steps.length - 1), p: () => play(!state.timer),
    f: foldAll, t: view, "+": () => zoom(0.8), "-": () => zoom(1.25), 0: showAll,
    Escape: () => { $("tip").hidden = true; },
  };
  const act = keys[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (act) { e.preventDefault(); act(); }
});

const parameters = Object.values(story.boxes).filter((b) => b.role === "parameter").length;
$("counts").textContent = `${operations} operations` + (parameters ? ` · ${parameters} parameters` : "");
$("fold").hidden = frames.size === 0;
$("choice").hidden = story.samples < 2;
$("sample").append(make("option", { value: -1 }, `all ${story.batch}`),
  ...Array.from({ length: story.samples }, (_, k) => make("option", { value: k }, String(k))));
const forwardSteps = operations / (story.steps.length - 1);
$("pass-f").style.width = `${100 * forwardSteps}%`;
$("pass-b").style.width = `${100 * (1 - forwardSteps)}%`;
{ // fonts without rules for mathematics set exponents too high
  const probe = make("div", { html: "<math><msup><mi>x</mi><mn>2</mn></msup></math>" });
  document.body.append(probe);
  const [x, power] = [...probe.querySelector("msup").children].map((c) => c.getBoundingClientRect());
  const em = parseFloat(getComputedStyle(probe.firstChild).fontSize);
  document.documentElement.classList.toggle("rough", x.bottom - power.bottom > 0.48 * em);
  probe.remove();
}
const preferred = matchMedia("(prefers-color-scheme: dark)");
preferred.addEventListener("change", (e) => theme(e.matches ? "dark" : "light"));
theme(preferred.matches ? "dark" : "light");
go(+location.hash.slice(1) || 0);
addEventListener("hashchange", () => { if (/^#\d+$/.test(location.hash)) go(+location.hash.slice(1)); });
