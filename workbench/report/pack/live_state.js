/* What is moved: inputs checked and kept, what they come to, the way back, and what is refused. */

const data = JSON.parse(document.getElementById("data").textContent);
const whatIf = new WhatIf(data.tables);
const STEPS = whatIf.steps.slice(0, -1);
const NAMES = ["target", "confidence", "leads", "rates", "deal_value", "annual_churn", "follow"];
const LIMITS = {
  target: [(v) => v > 0 && v < 1e12, "is above 0"],
  confidence: [(v) => v > 0 && v < 1, "is above 0 and below 100%"],
  leads: [(v) => v >= 0 && v < 1e9, "is 0 or more"],
  rate: [(v) => v > 0 && v <= 1, "is above 0 and up to 100%"],
  deal_value: [(v) => v > 0, "is above 0"],
  annual_churn: [(v) => v >= 0 && v < 1, "is 0 or more and below 100%"],
};
const QUIET = 900; // ms without a change before the answer is read out
const MOST_UNDO = 200;

const $ = (id) => document.getElementById(id);
const unit = (value) =>
  data.goal === "{} wins" ? winsText(value) : moneyText(value, data.symbol);
const sliders = data.sliders.map((slider) => ({ ...slider, parts: partsOfRow(slider.name) }));
const Top = data.top[0].toUpperCase() + data.top.slice(1);
const funnel = new Drawing($("funnel"));
const months = new Drawing($("months"));

const PLANNED = Object.freeze({ ...whatIf.inputs, follow: false });
const planned = whatIf.result(PLANNED);
let state = PLANNED;
let found = planned;
let undone = []; // states to go back to
let held = null; // the slider under the hand: one move is one step back
let painting = false;
let reading = 0;

/* ---- state ---- */

/** An input was refused; `slider` is where it is said. */
class InputError extends Error {
  constructor(slider, message) {
    super(message);
    this.name = "InputError";
    this.slider = slider;
  }
}

/** Read one input out of a state by the name of its slider. */
function read(from, name) {
  return name.startsWith("rate-") ? from.rates[Number(name.slice(5))] : from[name];
}

/** A state with one input changed. */
function withInput(from, name, value) {
  if (!name.startsWith("rate-")) return { ...from, [name]: value };
  const place = Number(name.slice(5));
  return { ...from, rates: from.rates.map((rate, s) => (s === place ? value : rate)) };
}

/** Refuse a value that is no number, unknown in this plan, or out of its range. */
function check(name, value) {
  const slider = sliders.find((each) => each.name === name);
  if (!slider) throw new InputError(null, `${name}: not known in this plan`);
  const [fits, words] = LIMITS[name.startsWith("rate-") ? "rate" : name];
  if (typeof value !== "number" || !Number.isFinite(value) || !fits(value)) {
    throw new InputError(name, `${slider.label} ${words}`);
  }
  return value;
}

/** The state that `changed` leads to, in the names and units of Python's `WhatIf.result`. */
function changedTo(changed) {
  if (changed === null || typeof changed !== "object") throw new InputError(null, "set takes {name: value}");
  let next = state;
  for (const [name, value] of Object.entries(changed)) {
    if (!NAMES.includes(name)) throw new InputError(null, `${name}: no such input; expected ${NAMES.join(", ")}`);
    if (name === "rates") next = changedRates(next, value);
    else if (name === "follow") next = { ...next, follow: checkedFollow(value) };
    else next = withInput(next, name, check(name, value));
  }
  const byHand = "leads" in changed && !("follow" in changed);
  return byHand ? { ...next, follow: false } : next;
}

function changedRates(from, rates) {
  if (rates === null || typeof rates !== "object") throw new InputError(null, "rates is {step: share}");
  return Object.entries(rates).reduce((next, [step, rate]) => {
    const place = STEPS.indexOf(step);
    if (place < 0) throw new InputError(null, "rates: no such step; see inputs().rates");
    return withInput(next, `rate-${place}`, check(`rate-${place}`, rate));
  }, from);
}

function checkedFollow(value) {
  if (typeof value !== "boolean") throw new InputError(null, "follow is true or false");
  return value;
}

/** Reckon a state; where the leads follow what is needed, move them there first. */
function reckon(next) {
  const needed = whatIf.leadsNeeded(next);
  if (next.follow && needed !== null) next = { ...next, leads: needed };
  state = Object.freeze(next);
  found = whatIf.result(state, needed);
}

/** Take a state; `gesture` names a slider under the hand, whose moves are one step back. */
function take(next, gesture = null) {
  if (gesture === null || gesture !== held) {
    undone.push(state);
    undone = undone.slice(-MOST_UNDO);
  }
  held = gesture;
  reckon(next);
  clearTrouble();
  schedule();
}

function reset() {
  if (anyMoved()) take(PLANNED);
  else clearTrouble();
  schedule();
}

function undo() {
  if (!undone.length) return;
  held = null;
  reckon(undone.pop());
  clearTrouble();
  schedule();
}

const moved = (slider) => read(state, slider.name) !== slider.value;
const anyMoved = () => state.follow || sliders.some(moved);

/* ---- troubles ---- */

function clearTrouble() {
  [$("trouble"), ...sliders.map((slider) => slider.parts.trouble)].forEach((node) => {
    node.hidden = true;
    say(node, "");
  });
  sliders.forEach((slider) => slider.parts.input.removeAttribute("aria-invalid"));
}

function tell(error) {
  clearTrouble();
  const slider = sliders.find((each) => each.name === error.slider);
  const node = slider ? slider.parts.trouble : $("trouble");
  if (slider) slider.parts.input.setAttribute("aria-invalid", "true");
  say(node, error.message);
  node.hidden = false;
}
