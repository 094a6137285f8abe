/* The what-if of a plan, as kpi/planning/what_if.py reckons it: same names, same order, same numbers.
   No page in here: tables and inputs in, numbers out. */

const SAFE = 1e-12;
const MOST_LEADS = 1e7;
const MONTHS_A_YEAR = 12;

const logit = (p) => Math.log(p / (1 - p));
const expit = (z) => 1 / (1 + Math.exp(-z));
const clip = (p) => Math.min(Math.max(p, SAFE), 1 - SAFE);
const total = (series) => series.reduce((sum, each) => sum + each, 0);
const times = (series, factor) => series.map((each) => each * factor);
const plus = (one, other) => one.map((each, t) => each + other[t]);
const product = (series) => series.reduce((found, each) => found * each, 1);

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
    if (kept === 0) return { kept: 1, spread: this.spread ** 2 };
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
