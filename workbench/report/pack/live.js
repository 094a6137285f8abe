/* The page: it shows what inputs come to, and takes what hands, keys and scripts do. */

/* ---- painting ---- */

function schedule() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    paint();
  });
}

function paint() {
  const words = sentence();
  say($("answer"), words);
  say($("action"), action());
  paintTiles();
  sliders.forEach(paintRow);
  $("follow").checked = state.follow;
  $("undo").disabled = !undone.length;
  $("reset").disabled = !anyMoved();
  paintDrawings();
  paintMoved();
  readOut(words);
}

/** Read the answer out once the hand is still: not on the first paint, not at every step. */
function readOut(words) {
  clearTimeout(reading);
  if (state === PLANNED && !$("said").textContent) return;
  reading = setTimeout(() => say($("said"), words), QUIET);
}

const goal = (target) => data.goal.replace("{}", unit(target)).replace(/^1 wins$/, "1 win");
const needed = () =>
  found.leads_needed === null
    ? `no number of ${data.top} has a chance of ${percentText(state.confidence)}`
    : `a chance of ${percentText(state.confidence)} takes ${wholeText(found.leads_needed)}`;

/** The answer in a sentence: the plan's own where nothing is moved. */
function sentence() {
  if (!anyMoved()) return data.answer;
  const aim = `${goal(state.target)} by ${data.by}`;
  const chance = `${percentText(found.chance)}`;
  if (!(state.leads > 0)) return `Without new ${data.top}, ${aim} has a chance of ${chance}; ${needed()}.`;
  const lastMonth = data.long_months[found.leads.map((n) => n > 0).lastIndexOf(true)];
  const pace = `about ${wholeText(Math.max(...found.leads))} a month`;
  const plan = `${wholeText(state.leads)} ${data.top} by the end of ${lastMonth}, ${pace}`;
  return `With ${plan}, ${aim} has a chance of ${chance}; ${needed()}.`;
}

function action() {
  if (!anyMoved()) return data.action;
  const first = found.leads.findIndex((n) => n > 0);
  if (first < 0) return `No new ${data.top} are created: close what is open.`;
  const [now, then] = [found.leads[first], planned.leads[first]].map(wholeText);
  return `Create ${now} ${data.top} in ${data.long_months[first]}${now === then ? "" : ` (plan: ${then})`}.`;
}

/** What differs from the plan, in words. */
function versus(now, then, write) {
  const [one, other] = [write(now), write(then)];
  if (one === other) return anyMoved() ? "as in the plan" : "as planned";
  if (!known(now) || !known(then)) return `plan ${other}`;
  return `plan ${other}, ${now > then ? "+" : "−"}${write(Math.abs(now - then))}`;
}

const points = (share) => `${(100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0).replace(/\.0$/, "")} points`;

function paintTiles() {
  const none = found.leads_needed === null;
  const chanceOff = found.chance - planned.chance;
  const same = percentText(found.chance) === percentText(planned.chance);
  const tiles = {
    chance: [percentText(found.chance), same ? versus(0, 0, unit)
      : `plan ${percentText(planned.chance)}, ${chanceOff > 0 ? "+" : "−"}${points(Math.abs(chanceOff))}`],
    leads: [none ? "none" : wholeText(found.leads_needed), none ? "no number has that chance"
      : versus(found.leads_needed, planned.leads_needed, wholeText)],
    gap: [unit(found.gap), versus(found.gap, planned.gap, unit)],
    expected: [unit(found.expected), versus(found.expected, planned.expected, unit)],
  };
  for (const [name, [number, difference]] of Object.entries(tiles)) {
    say($(`result-${name}`), number);
    say($(`versus-${name}`), difference);
  }
  say($("label-leads"), `${Top} for a chance of ${percentText(state.confidence)}`);
  const meter = document.querySelector(".meter");
  meter.firstElementChild.style.width = `${100 * found.chance}%`;
  meter.lastElementChild.style.left = `${100 * state.confidence}%`;
  say($("bar-chance"), `${percentText(found.chance)} chance`);
  say($("bar-leads"), `${wholeText(state.leads)} ${data.top}; ${percentText(state.confidence)} takes ${none ? "–" : wholeText(found.leads_needed)}`);
}

function paintDrawings() {
  drawFunnel(funnel, data.labels, found, planned);
  drawMonths(months, Top, data.months, found, planned);
  const counts = partsOf(found.funnel);
  const all = sums(counts);
  const was = sums(partsOf(planned.funnel));
  fillTable($("funnel-table"), ["Step", "Open now", "Direct", `New ${data.top}`, "Total", "Plan"],
    data.labels.map((label, s) => [label, ...[...counts.map((part) => part[s]), all[s], was[s]].map(winsText)]));
  fillTable($("months-table"), monthHeads(), data.months.map(monthRow));
}

const monthHeads = () => [
  "Month", `${Top} to create`, "Wins: open now", "Wins: direct", `Wins: new ${data.top}`, "Wins", "Plan: wins",
  ...(found.new_mrr ? ["New MRR"] : []), ...(found.mrr ? ["MRR"] : []),
];

function monthRow(month, t) {
  const money = [found.new_mrr, found.mrr].filter(Boolean);
  const wins = [...winsOf(found).map((row) => row[t]), found.wins[t], planned.wins[t]];
  return [month, wholeText(found.leads[t]), ...wins.map(winsText), ...money.map((row) => moneyText(row[t], data.symbol))];
}

/* ---- rows ---- */

function partsOfRow(name) {
  const row = $(`row-${name}`);
  return {
    row, input: $(`input-${name}`), slide: $(`slide-${name}`), back: $(`back-${name}`),
    trouble: $(`trouble-${name}`), band: row.querySelector(".band"), mark: row.querySelector(".mark"),
  };
}

const shownOf = (slider, value) => (value * slider.scale).toFixed(slider.digits);
const withUnit = (slider, text) =>
  slider.unit === "%" ? `${text}%` : slider.unit + grouped(text);

/** The value that is meant by a number as shown: the planned one where it reads as the plan does. */
function meant(slider, shown) {
  return shown.toFixed(slider.digits) === slider.shown ? slider.value : shown / slider.scale;
}

/** Place along a slider, for the middle of its thumb. */
function along(slider, shown) {
  const share = (shown - slider.low) / (slider.high - slider.low);
  return `calc(9px + (100% - 18px) * ${Math.min(Math.max(share, 0), 1).toFixed(4)})`;
}

function paintRow(slider) {
  const { row, input, slide } = slider.parts;
  const text = shownOf(slider, read(state, slider.name));
  const typing = document.activeElement === input && Number(input.value) === Number(text);
  if (!typing && input.value !== text) input.value = text;
  if (held !== slider.name) slide.value = text;
  slide.setAttribute("aria-valuetext", withUnit(slider, text));
  row.classList.toggle("moved", moved(slider));
  slider.parts.back.disabled = !moved(slider);
}

function paintMoved() {
  const list = $("moved");
  const lines = sliders.filter(moved).map((slider) => {
    const now = withUnit(slider, shownOf(slider, read(state, slider.name)));
    return `${slider.label}: ${now} (plan ${withUnit(slider, slider.shown)})`;
  });
  if (state.follow) lines.push(`${Top} follow what the chance wanted needs`);
  if (!lines.length) lines.push("Nothing: this is the plan as it was frozen.");
  while (list.children.length > lines.length) list.lastChild.remove();
  lines.forEach((line, k) => say(list.children[k] || make("li", "", list), line));
}

/** Take what a slider or its number says; where it is refused, say so there. */
function edit(slider, shown, gesture) {
  try {
    const value = check(slider.name, meant(slider, Number(shown.toFixed(slider.digits))));
    if (value === read(state, slider.name) && !(slider.name === "leads" && state.follow)) return clearTrouble();
    const next = withInput(state, slider.name, value);
    take(slider.name === "leads" ? { ...next, follow: false } : next, gesture);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    tell(error);
  }
}

function back(slider) {
  const next = withInput(state, slider.name, slider.value);
  take(slider.name === "leads" ? { ...next, follow: false } : next);
  slider.parts.input.focus();
}

function wire(slider) {
  const { input, slide, band, mark } = slider.parts;
  slide.addEventListener("input", () => edit(slider, slide.valueAsNumber, slider.name));
  slide.addEventListener("change", () => {
    held = null;
    schedule();
  });
  slide.addEventListener("dblclick", () => back(slider));
  slider.parts.back.addEventListener("click", () => back(slider));
  input.addEventListener("input", () => edit(slider, input.valueAsNumber, `typed ${slider.name}`));
  input.addEventListener("change", () => {
    held = null;
  });
  input.addEventListener("blur", () => {
    clearTrouble();
    input.value = shownOf(slider, read(state, slider.name));
  });
  mark.style.left = along(slider, slider.value * slider.scale);
  if (!slider.band) return;
  band.style.left = along(slider, slider.band[0]);
  band.style.right = `calc(100% - ${along(slider, slider.band[1])})`;
}

/* ---- the ways in ---- */

const inputs = () => ({
  ...state,
  rates: Object.fromEntries(STEPS.map((step, s) => [step, state.rates[s]])),
});

/** Change some inputs at once; refuses all of them where one is out of its range. */
function set(changed) {
  try {
    const next = changedTo(changed);
    if (JSON.stringify(next) === JSON.stringify(state)) clearTrouble();
    else take(next);
  } catch (error) {
    if (error instanceof InputError) tell(error);
    throw error;
  }
  return inputs();
}

const result = () => JSON.parse(JSON.stringify(found));

window.reverseFunnel = Object.freeze({ inputs, set, reset, result });

function legend() {
  [...data.credits, "as planned"].forEach((name, k) => {
    const item = make("span", "", $("legend"));
    make("i", "", item).className = SOURCES[k] || "plan";
    item.append(name);
  });
}

/** On paper the tables are open; definitions are as the reader left them. */
function printing(begins) {
  document.querySelectorAll(".shown details").forEach((part) => {
    if (begins) part.dataset.open = part.open ? "yes" : "";
    part.open = begins || part.dataset.open === "yes";
  });
  paint();
}

sliders.forEach(wire);
legend();
$("follow").addEventListener("change", (event) => set({ follow: event.target.checked }));
$("undo").addEventListener("click", undo);
$("reset").addEventListener("click", reset);
$("inputs").addEventListener("submit", (event) => event.preventDefault());
new IntersectionObserver(([tiles]) => {
  $("bar").classList.toggle("shown", !tiles.isIntersecting && tiles.boundingClientRect.top < 0);
}).observe($("tiles"));
new ResizeObserver(schedule).observe($("funnel"));
window.addEventListener("beforeprint", () => printing(true));
window.addEventListener("afterprint", () => printing(false));
paint();
