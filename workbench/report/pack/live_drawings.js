/* Numbers as text, drawings and tables. Nodes are made once and then changed in place; text from the
   data goes in as text, never as mark-up. */

const MISSING = "–";
const SVG = "http://www.w3.org/2000/svg";
const SOURCES = ["open", "direct", "new"]; // classes of the three parts of a bar
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const signed = (value, write) =>
  known(value) ? (value < 0 ? "−" : "") + write(Math.abs(value)) : MISSING;

/** A count: 1,234. */
const wholeText = (value) => signed(value, (size) => grouped(size.toFixed(0)));

/** A share: 34%, below 10 % with a decimal. */
const percentText = (share) =>
  signed(share, (size) => `${(100 * size).toFixed(100 * size < 9.95 ? 1 : 0).replace(/\.0$/, "")}%`);

/** Wins: 12.3, whole ones without a decimal. */
const winsText = (value) => {
  if (!known(value)) return MISSING;
  const [whole, part] = value.toFixed(1).split(".");
  return (grouped(whole) + (part === "0" ? "" : `.${part}`)).replace("-", "−");
};

/** Money to three figures: $950, $12.3K, $1.2M. */
const moneyText = (value, symbol) => signed(value, (size) => symbol + threeFigures(size));

function threeFigures(size) {
  if (size < 999.5) return size.toFixed(0);
  const [digits, power] = size.toExponential(2).split("e").map(Number);
  const step = Math.min(Math.floor(power / 3), 4);
  const rest = power - 3 * step;
  const text = (digits * 10 ** rest).toFixed(Math.max(2 - rest, 0));
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text) + ["", "K", "M", "B", "T"][step];
}

/** Make an element with text in it. */
function make(tag, text, into) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (into) into.append(made);
  return made;
}

/** Change a text only where it differs. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A picture whose parts are kept by name and changed in place. */
class Drawing {
  constructor(box) {
    this.box = box;
    this.node = document.createElementNS(SVG, "svg");
    this.node.setAttribute("role", "img");
    this.parts = new Map();
    box.append(this.node);
  }

  /** Width to draw on, in pixels: text is never scaled. */
  get width() {
    return Math.max(Math.floor(this.box.clientWidth), 240);
  }

  /** Draw anew: put() gives each part; parts not given any more are taken away. */
  draw(height, label, put) {
    const size = { width: this.width, height, viewBox: `0 0 ${this.width} ${height}` };
    this.set(this.node, { ...size, "aria-label": label });
    const used = new Set();
    put((name, tag, marks, text) => {
      used.add(name);
      this.part(name, tag, marks, text);
    });
    [...this.parts].filter(([name]) => !used.has(name)).forEach(([name, node]) => {
      node.remove();
      this.parts.delete(name);
    });
  }

  part(name, tag, marks, text) {
    let node = this.parts.get(name);
    if (!node) {
      node = document.createElementNS(SVG, tag);
      this.parts.set(name, node);
      this.node.append(node);
    }
    this.set(node, marks);
    if (text !== undefined) say(node, text);
  }

  set(node, marks) {
    for (const [name, value] of Object.entries(marks)) {
      const text = typeof value === "number" ? String(Math.round(value * 10) / 10) : value;
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }
}

/** Top of a scale, so that it does not move with each small change of what is drawn. */
function roundUp(most) {
  if (!(most > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return unit * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((size) => unit * size >= most * (1 - 1e-9));
}

const sums = (rows) => rows[0].map((_, place) => rows.reduce((sum, row) => sum + row[place], 0));
const partsOf = (funnel) => [funnel.in_pipeline, funnel.direct, funnel.to_create];
const winsOf = (result) => [result.wins_pipeline, result.wins_direct, result.wins_new];

/** Cut a label to what fits. */
function fitted(text, width) {
  const letters = Math.max(Math.floor(width / 7.4), 4);
  const all = [...text];
  return all.length <= letters ? text : `${all.slice(0, letters - 1).join("")}…`;
}

/** A bar per step by where its records come from; a tick where the plan has it. */
function drawFunnel(drawing, labels, now, planned) {
  const [parts, width] = [partsOf(now.funnel), drawing.width];
  const [here, there] = [sums(parts), sums(partsOf(planned.funnel))];
  const most = roundUp(Math.max(...here, ...there));
  const scale = (width - 8) / most;
  const label = `Funnel: ${labels.map((name, s) => `${name} ${wholeText(here[s])}`).join(", ")}`;
  drawing.draw(46 * labels.length, label, (put) => {
    labels.forEach((name, s) => {
      const y = 46 * s;
      put(`l${s}`, "text", { class: "name", x: 0, y: y + 15 }, fitted(name, width - 170));
      put(`t${s}`, "text", { class: "value end", x: width, y: y + 15 }, barText(here[s], there[s]));
      put(`b${s}`, "rect", { class: "ground", x: 0, y: y + 22, width, height: 14, rx: 2 });
      let x = 0;
      parts.forEach((part, p) => {
        const long = Math.max(part[s] * scale, 0);
        put(`p${s}-${p}`, "rect", { class: SOURCES[p], x, y: y + 22, width: long, height: 14 });
        x += long;
      });
      const at = there[s] * scale;
      put(`m${s}`, "line", { class: "plan", x1: at, x2: at, y1: y + 19, y2: y + 39 });
    });
  });
}

function barText(now, planned) {
  const [one, other] = [wholeText(now), wholeText(planned)];
  return one === other ? one : `${one} (plan ${other})`;
}

/** Columns by month: leads to create above, wins to expect below. */
function drawMonths(drawing, top, months, now, planned) {
  const panels = [
    { title: `${top} to create`, rows: [now.leads], plan: planned.leads, write: wholeText, kinds: ["new"] },
    { title: "Wins to expect", rows: winsOf(now), plan: planned.wins, write: winsText, kinds: SOURCES },
  ];
  const label = panels
    .map((panel) => `${panel.title}: ${sums(panel.rows).map((n, t) => `${months[t]} ${panel.write(n)}`).join(", ")}`)
    .join(". ");
  drawing.draw(386, label, (put) =>
    panels.forEach((panel, p) => drawColumns(put, `c${p}`, panel, months, 200 * p, drawing.width)),
  );
}

function drawColumns(put, id, panel, months, top, width) {
  const [height, base, tops] = [92, top + 148, sums(panel.rows)];
  const scale = height / roundUp(Math.max(...tops, ...panel.plan));
  const step = width / months.length;
  const every = Math.ceil(38 / step);
  const wide = Math.min(step * 0.68, 64);
  let shownYear = "";
  put(`${id}-title`, "text", { class: "name strong", x: 0, y: top + 16 }, panel.title);
  put(`${id}-base`, "line", { class: "rule", x1: 0, x2: width, y1: base, y2: base });
  months.forEach((month, t) => {
    const [middle, x] = [step * (t + 0.5), step * (t + 0.5) - wide / 2];
    let y = base;
    panel.rows.forEach((row, k) => {
      const tall = Math.max(row[t] * scale, 0);
      y -= tall;
      put(`${id}-${t}-${k}`, "rect", { class: panel.kinds[k], x, y, width: wide, height: tall });
    });
    const at = base - panel.plan[t] * scale;
    put(`${id}-${t}-plan`, "line", { class: "plan", x1: x - 3, x2: x + wide + 3, y1: at, y2: at });
    if (t % every) return;
    const above = Math.min(y, at) - 7;
    put(`${id}-${t}-n`, "text", { class: "value middle", x: middle, y: above }, panel.write(tops[t]));
    const [name, year] = month.split(" ");
    put(`${id}-${t}-m`, "text", { class: "note middle", x: middle, y: base + 18 }, name);
    if (year === shownYear) return;
    shownYear = year;
    put(`${id}-${t}-y`, "text", { class: "note middle", x: middle, y: base + 34 }, year);
  });
}

/** Fill a table: the first cell of a row is its name. Cells are kept and changed in place. */
function fillTable(table, heads, rows) {
  if (!table.tHead) {
    const line = table.createTHead().insertRow();
    heads.forEach((head) => make("th", head, line).setAttribute("scope", "col"));
    const body = table.createTBody();
    rows.forEach((row) => {
      const made = body.insertRow();
      row.forEach((_, k) => (k ? made.insertCell() : make("th", "", made).setAttribute("scope", "row")));
    });
  }
  rows.forEach((row, r) => row.forEach((text, k) => say(table.tBodies[0].rows[r].cells[k], text)));
}
