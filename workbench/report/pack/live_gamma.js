/* The incomplete gamma function, to the last digits, for any number of wins. */

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
