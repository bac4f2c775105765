import { median, middle } from "./statistics.mjs";

/** Wider than this share of its middle, the middle half of the rounds says too little where the limit lies inside it. */
const TOO_WIDE = 0.1;

/** With more than this share of the cores taken by others, no verdict is given. */
const DISTURBED = 0.25;

/**
 * One line of the results: what was measured for ours, the baseline and the peers, and what it was to reach.
 *
 * @param samples contender -> a value a round; "ours" is one of them
 * @param baseline the contender that ours is compared with from run to run
 * @param targets each of
 *   `{ than, atLeast }` or `{ than, atMost }`: ours divided by that contender;
 *   `{ over, atMost }`: ours less that contender, in the figure's unit;
 *   `{ atMost }`: ours itself
 */
export function figure({ id, what, unit, samples, baseline, targets = [], note }) {
  const contenders = Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, middle(values)]));
  return {
    id,
    what,
    unit,
    contenders,
    baseline,
    ratio: baseline === undefined ? undefined : middle(each(samples, baseline, (ours, other) => ours / other)).mid,
    higherIsBetter: targets.some((target) => target.atLeast !== undefined),
    targets: targets.map((target) => judge(target, samples)),
    note,
  };
}

/** The same figure, measured while other processes took the share `foreign` of all cores. Memory is none of theirs. */
export function disturbedBy(figure, foreign) {
  if (foreign === undefined || foreign < DISTURBED || figure.unit === "MB") return { ...figure, foreign };
  const targets = figure.targets.map((target) => ({ ...target, verdict: "too noisy to judge" }));
  return { ...figure, foreign, targets, disturbed: true };
}

function judge(target, samples) {
  const values = comparedBy(target, samples);
  const seen = middle(values);
  const { limit, misses } = limitOf(target);
  const missed = misses(seen.mid);
  const undecided = misses(seen.low) !== misses(seen.high) && (seen.high - seen.low) / Math.abs(seen.mid) > TOO_WIDE;
  return {
    ...target,
    seen,
    verdict: undecided ? "too noisy to judge" : missed ? "missed" : "reached",
    missedBy: missed && !undecided ? Math.abs(seen.mid - limit) / limit : undefined,
  };
}

function comparedBy(target, samples) {
  if (target.than !== undefined) return each(samples, target.than, (ours, other) => ours / other);
  if (target.over !== undefined) return each(samples, target.over, (ours, other) => ours - other);
  return samples.ours;
}

function limitOf({ atLeast, atMost }) {
  if (atLeast !== undefined) return { limit: atLeast, misses: (value) => value < atLeast };
  return { limit: atMost, misses: (value) => value > atMost };
}

/** Round by round, since what slowed a round down slowed both. */
function each(samples, name, combine) {
  const other = samples[name];
  if (other === undefined) throw new Error(`No contender "${name}" among ${Object.keys(samples).join(", ")}`);
  return samples.ours.map((ours, round) => combine(ours, other[round] ?? median(other)));
}
