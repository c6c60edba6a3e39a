"use strict";
// The controls: buttons, slider, keys, clicks, and how the page begins.

const LAST = story.steps.length - 1;
function go(step) {
  state.step = Math.max(0, Math.min(LAST, step));
  $("slider").value = state.step;
  $("slider").setAttribute("aria-valuetext", summary());
  $("at").textContent = `step ${state.step} of ${LAST}`;
  for (const id of ["first", "back"]) $(id).disabled = state.step === 0;
  for (const id of ["next", "final"]) $(id).disabled = state.step === LAST;
  if (state.step === LAST) play(false);
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

// A box leads to the step that computed it, or from where its cotangent goes on.
function visit(key) {
  const late = story.steps[state.step].phase === "backward" || state.step === LAST;
  const parts = arriving[key] || [], last = parts[parts.length - 1];
  const back = backwardAt[key] ?? (last && last.step);
  const step = late ? back ?? forwardAt[key] : forwardAt[key];
  if (step !== undefined) go(step);
}

function press(g, act) {
  g.addEventListener("click", () => { if (!stage.dragged) act(); });
  g.addEventListener("keydown", (e) => {
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); act(); }
  });
}
const hideTip = () => { $("tip").hidden = true; };
for (const { g, key } of boxes.values()) {
  g.addEventListener("pointerenter", () => tip(key, g));
  g.addEventListener("focus", () => { reveal(g); tip(key, g); });
  for (const kind of ["pointerleave", "blur"]) g.addEventListener(kind, hideTip);
  press(g, () => visit(key));
}
for (const { g, key } of frames.values()) press(g, () => toggle(key));

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

const ACTIONS = {
  first: () => go(0), back: () => go(state.step - 1), next: () => go(state.step + 1),
  final: () => go(LAST), play: () => play(!state.timer), fold: foldAll, view,
  theme: () => theme(dark() ? "light" : "dark"),
};
for (const [id, act] of Object.entries(ACTIONS)) $(id).addEventListener("click", act);
$("slider").addEventListener("input", (e) => go(+e.target.value));
$("sample").addEventListener("change", (e) => { state.sample = +e.target.value; go(state.step); });

const KEYBOARD = {
  ArrowLeft: ACTIONS.back, ArrowRight: ACTIONS.next, Home: ACTIONS.first, End: ACTIONS.final,
  p: ACTIONS.play, f: foldAll, t: view, "+": () => zoom(0.8), "-": () => zoom(1.25), 0: showAll,
  Escape: hideTip,
};
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT)$/.test(e.target.tagName)) return;
  const act = KEYBOARD[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (act) { e.preventDefault(); act(); }
});

// Fonts without rules for mathematics set exponents too high.
function isRough() {
  const probe = make("div", { html: "<math><msup><mi>x</mi><mn>2</mn></msup></math>" });
  document.body.append(probe);
  const places = [...probe.querySelector("msup").children].map((c) => c.getBoundingClientRect());
  const em = parseFloat(getComputedStyle(probe.firstChild).fontSize);
  probe.remove();
  return places[0].bottom - places[1].bottom > 0.48 * em;
}

const parameters = Object.values(story.boxes).filter((b) => b.role === "parameter").length;
const counts = [`${operations} operations`, ...(parameters ? [`${parameters} parameters`] : [])];
$("counts").textContent = counts.join(" · ");
$("fold").hidden = frames.size === 0;
$("choice").hidden = story.samples < 2;
for (let k = -1; k < story.samples; k++) {
  $("sample").append(make("option", { value: k }, k < 0 ? `all ${story.batch}` : String(k)));
}
$("slider").max = LAST;
$("pass-f").style.width = `${(100 * operations) / LAST}%`;
$("pass-b").style.width = `${100 - (100 * operations) / LAST}%`;
document.documentElement.classList.toggle("rough", isRough());
const preferred = matchMedia("(prefers-color-scheme: dark)");
preferred.addEventListener("change", (e) => theme(e.matches ? "dark" : "light"));
const fromAddress = () => { if (/^#\d+$/.test(location.hash)) go(+location.hash.slice(1)); };
addEventListener("hashchange", fromAddress);
theme(preferred.matches ? "dark" : "light");
fromAddress();
