/* The what-if of a plan, as kpi/planning/what_if.py reckons it: same names, same order, same numbers.
   No page in here: tables and inputs in, numbers out. */

const SAFE = 1e-12;
const MOST_LEADS = 1e7;
const MONTHS_A_YEAR = 12;

/* ---- special functions ---- */

const MANY = 1e4; // from here on a few terms of Temme's expansion are exact to the last digits
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];
const TEMME = [
  [-1 / 3, 1 / 12, -2 / 135, 1 / 864, 1 / 2835, -139 / 777600, 1 / 25515, -571 / 261273600],
  [-1 / 540, -1 / 288, 25 / 12096, -223 / 1088640, -89 / 1088640],
  [25 / 6048, -139 / 51840, 101 / 311040],
];

/** Logarithm of the gamma function, x > 0 (Lanczos, g = 7). */
function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  let sum = LANCZOS[0];
  for (let k = 1; k < LANCZOS.length; k += 1) sum += LANCZOS[k] / (x + k - 1);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** What Stirling's formula for log(a!) leaves out. */
function stirlingRest(a) {
  if (a < 16) {
    return logGamma(a + 1) - (a + 0.5) * Math.log(a) + a - 0.5 * Math.log(2 * Math.PI);
  }
  const b = 1 / (a * a);
  return (1 / 12 - b * (1 / 360 - b * (1 / 1260 - b * (1 / 1680 - b / 1188)))) / a;
}

/** x - a - a log(x / a), without loss where x is near a. */
function deviance(a, x) {
  const v = (x - a) / (x + a);
  if (Math.abs(v) > 0.1) return x - a - a * Math.log(x / a);
  let sum = (x - a) * v;
  let power = 2 * a * v;
  for (let k = 3; k < 200; k += 2) {
    power *= v * v;
    const next = sum - power / k;
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/** x^a e^-x / gamma(a + 1). */
function head(a, x) {
  if (a < 1e-3) return Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  return Math.exp(-deviance(a, x) - stirlingRest(a)) / Math.sqrt(2 * Math.PI * a);
}

/** Regularised lower incomplete gamma function P(a, x): a > 0, x >= 0. */
function gammaP(a, x) {
  if (!(x > 0)) return 0;
  const far = 40 * Math.sqrt(Math.max(a, x, 1)) + 40;
  if (x - a > far) return 1;
  if (a - x > far) return 0;
  if (a >= MANY) return temme(a, x);
  return x < a + 1 ? lowerSeries(a, x) : 1 - upperFraction(a, x);
}

function lowerSeries(a, x) {
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-17; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return head(a, x) * sum;
}

/** Q(a, x) by Lentz's continued fraction. */
function upperFraction(a, x) {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 100000; i += 1) {
    const an = -i * (i - a);
    b += 2;
    d = an * d + b;
    d = 1 / (Math.abs(d) < tiny ? tiny : d);
    c = b + an / c;
    c = Math.abs(c) < tiny ? tiny : c;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return head(a, x) * a * h;
}

/** P(a, x) of a large a near x: N. M. Temme 1979 (DLMF 8.12). */
function temme(a, x) {
  const half = deviance(a, x); // a eta^2 / 2
  const eta = Math.sign(x - a) * Math.sqrt((2 * half) / a);
  const of = (terms) => terms.reduceRight((sum, c) => sum * eta + c, 0);
  const rest = of(TEMME[0]) + (of(TEMME[1]) + of(TEMME[2]) / a) / a;
  const tail = half > 0 ? 0.5 * (half < 1.5 ? 1 - lowerSeries(0.5, half) : upperFraction(0.5, half)) : 0.5;
  const middle = eta < 0 ? tail : 1 - tail;
  return middle - (rest * Math.exp(-half)) / Math.sqrt(2 * Math.PI * a);
}

const logit = (p) => Math.log(p / (1 - p));
const expit = (z) => 1 / (1 + Math.exp(-z));
const clip = (p) => Math.min(Math.max(p, SAFE), 1 - SAFE);
const total = (series) => series.reduce((sum, each) => sum + each, 0);
const times = (series, factor) => series.map((each) => each * factor);
const plus = (one, other) => one.map((each, t) => each + other[t]);
const product = (series) => series.reduce((found, each) => found * each, 1);

/* ---- the what-if ---- */

/**
 * A plan reduced to tables. Inputs are {target, confidence, leads, rates (a list, by step),
 * deal_value, annual_churn}; the last two are null where they are not known.
 */
class WhatIf {
  /** @param {object} tables  fields of the Python class, arrays as lists, missing as null */
  constructor(tables) {
    Object.assign(this, tables);
    const planned = new Map(Object.entries(tables.inputs.rates));
    this.inputs = { ...tables.inputs, rates: this.steps.slice(0, -1).map((s) => planned.get(s)) };
    this.last = this.steps.length - 1;
    this.isLevel = this.kind === "mrr" || this.kind === "arr";
    this.ahead = this.months.map((_, t) => t + 1);
  }

  /** What the inputs come to; leadsNeeded may be handed on where it is known already. */
  result(put, leadsNeeded = this.leadsNeeded(put)) {
    const flow = this.flow(put);
    const money = this.money(put, flow);
    const none = { ...put, leads: 0 };
    const without = this.expected(none, this.money(none, this.flow(none)));
    return {
      chance: this.chance(put),
      leads_needed: leadsNeeded,
      leads: times(this.share, put.leads),
      wins_pipeline: flow.pipeline[this.last],
      wins_direct: flow.direct[this.last],
      wins_new: flow.new[this.last],
      ...money,
      funnel: {
        in_pipeline: flow.pipeline.map(total),
        direct: flow.direct.map(total),
        to_create: flow.new.map(total),
      },
      expected: this.expected(put, money),
      without_new: without,
      gap: without === null ? null : put.target - without,
    };
  }

  /** Share from one step to another over the planned one. */
  reach(put, start, end) {
    const moved = put.rates.slice(start, end).map((rate, s) => rate / this.inputs.rates[start + s]);
    const planned = product(this.factors.slice(start, end));
    const cap = this.caps[start][end];
    return Math.min(planned * product(moved), cap) / Math.min(planned, cap);
  }

  /** How an open record's chance to reach a later step moves: it first leaves its own. */
  onward(put, start, end) {
    return this.reach(put, start, start + 1) * this.reach(put, start + 1, end);
  }

  /** Records that reach each step in each month, by where they come from. */
  flow(put) {
    const first = this.first_deal;
    const open = (s) =>
      this.pipeline.slice(0, s).reduce(
        (sum, from, i) => plus(sum, times(from[s], this.onward(put, i, s))),
        this.months.map(() => 0),
      );
    return {
      pipeline: this.steps.map((_, s) => open(s)),
      direct: this.direct.map((row, s) => times(row, this.reach(put, Math.min(first, s), s))),
      new: this.new.map((row, s) => times(row, put.leads * this.reach(put, 0, s))),
    };
  }

  money(put, flow) {
    const wins = this.wins(flow);
    if (put.deal_value === null) return { wins, new_mrr: null, mrr: null };
    const added = wins.map((n, t) => n * put.deal_value * this.value_ratio[t]);
    return { wins, new_mrr: added, mrr: this.base === null ? null : this.running(put, added) };
  }

  wins(flow) {
    return plus(plus(flow.pipeline[this.last], flow.direct[this.last]), flow.new[this.last]);
  }

  /** Recurring revenue at the end of each month. */
  running(put, added) {
    const growth = this.growth(put);
    const base = this.baseRuns(put);
    const came = [];
    added.forEach((each, t) => came.push(each + (t ? came[t - 1] * growth : 0)));
    return came.map((sum, t) => total(base.map((row) => row[t])) / base.length + this.base_rest[t] + sum);
  }

  /** What is expected at the last date, in the unit of the target; null where not known. */
  expected(put, money) {
    const end = this.checkpoints[this.checkpoints.length - 1];
    if (this.isLevel) {
      return money.mrr && money.mrr[end] * (this.kind === "arr" ? MONTHS_A_YEAR : 1);
    }
    const series = this.kind === "new_mrr" ? money.new_mrr : money.wins;
    const each = this.kind === "bookings" ? this.booking * this.dearer(put) : 1;
    return series && this.done + total(series.slice(0, end + 1)) * each;
  }

  /** Value of a win over the planned one; 1 where wins are counted. */
  dearer(put) {
    const planned = this.inputs.deal_value;
    return this.kind === "wins" || planned === null ? 1 : put.deal_value / planned;
  }

  /** Monthly churn of the inputs; 0 where no revenue is known. */
  churned(put) {
    return put.annual_churn === null ? 0 : 1 - (1 - put.annual_churn) ** (1 / MONTHS_A_YEAR);
  }

  growth(put) {
    return 1 - this.churned(put) + this.expansion;
  }

  /** What runs of the base at the end of each month, chance aside, by draw. */
  baseRuns(put) {
    const churned = this.churned(put);
    return this.churn.map((relative) => {
      const churn = Math.min(relative * churned, 1);
      const grown = (n) =>
        this.base_known
          ? (1 - churn + this.expansion) ** n
          : (1 - churn) ** n * (1 + this.expansion) ** n;
      return this.ahead.map((n) => this.base * grown(n));
    });
  }

  /** Fewest leads with the chance wanted; null where no number has it. */
  leadsNeeded(put) {
    const wanted = put.confidence + this.margin;
    const enough = (leads) => this.chance({ ...put, leads }) >= wanted;
    if (enough(0)) return 0;
    let high = Math.max(Math.round(this.inputs.leads), 1);
    while (!enough(high)) {
      if (high >= MOST_LEADS) return null;
      high *= 2;
    }
    let low = 0;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (enough(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  /** Chance of the target: of a path, of its least likely month. */
  chance(put) {
    const set = this.rough(put).map((p, c) =>
      p > SAFE && p < 1 - SAFE ? expit(logit(clip(p)) + this.offset[c]) : p,
    );
    return Math.min(...set);
  }

  /** Chance of each checkpoint from the few draws, before it is set by `offset`. */
  rough(put) {
    const flow = this.flow(put);
    const wins = this.wins(flow);
    return this.checkpoints.map((month, c) => this.met(put, c, month, flow, wins));
  }

  /** Share of the draws in which a checkpoint is met; open records as a shifted Poisson number. */
  met(put, c, month, flow, wins) {
    const direct = this.reach(put, this.first_deal, this.last);
    const lead = put.leads * this.reach(put, 0, this.last);
    const pipe = total(flow.pipeline[this.last].slice(0, month + 1));
    const sure = total(
      this.certain.slice(0, this.last).map((row, i) => row[c] * this.onward(put, i, this.last) ** 2),
    );
    const needed = this.needed(put, c, month, wins);
    let sum = 0;
    for (let d = 0; d < this.deal.length; d += 1) {
      const deal = this.deal[d];
      const certain = sure * deal * deal;
      const short = needed[d] - certain;
      const mean = lead * this.by_lead[d][c] + this.by_direct[d][c] * direct + pipe * deal;
      sum += short > 0 ? gammaP(Math.max(short, SAFE), Math.max(mean - certain, 0)) : 1;
    }
    return sum / this.deal.length;
  }

  /** Wins that a checkpoint takes, by draw: not whole where values differ from win to win. */
  needed(put, c, month, wins) {
    const amount = this.amounts[c] * put.target;
    const { kept, spread } = this.isLevel ? this.kept(put, month, wins) : { kept: 1, spread: this.spread ** 2 };
    const left = this.isLevel ? this.baseLeft(put, c, month) : null;
    const goal = this.kind === "arr" ? amount / MONTHS_A_YEAR : amount;
    const each = this.booking * this.dearer(put) * kept;
    return this.value.map((value, d) => {
      const x = (goal - (left ? left[d] : this.done)) / (each * value);
      if (this.whole && !this.isLevel) return Math.ceil(x - 1e-9);
      const more = 0.5 + spread / 2 + Math.sqrt(Math.max(spread, 0) * Math.max(x, 0)) * this.luck[d][c];
      return x > 0 ? x + more : 0;
    });
  }

  /** Share of a win's revenue that still runs at a checkpoint, and how much wins differ in it. */
  kept(put, month, wins) {
    const growth = this.growth(put);
    const before = Math.max(total(wins.slice(0, month + 1)), SAFE);
    let kept = 0;
    let square = 0;
    for (let t = 0; t <= month; t += 1) {
      const part = (wins[t] / before) * growth ** (month - t);
      kept += part;
      square += part * growth ** (month - t);
    }
    return { kept, spread: ((1 + this.spread ** 2) * square) / kept ** 2 - 1 };
  }

  /** What runs of the base at a checkpoint, with its luck, which fades as churn does. */
  baseLeft(put, c, month) {
    const lasts = (relative, churned) => (1 - Math.min(relative * churned, 1)) ** (month + 1);
    const [now, then] = [this.churned(put), this.churned(this.inputs)];
    const runs = this.baseRuns(put);
    return this.churn.map((relative, d) => {
      const [stays, planned] = [lasts(relative, now), lasts(relative, then)];
      const before = planned * (1 - planned);
      const ratio = before > 0 ? (stays * (1 - stays)) / before : 1;
      return runs[d][month] + this.base_luck[d][c] * Math.sqrt(ratio);
    });
  }
}
