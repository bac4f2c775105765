/** The value below which the share `at` (0 to 1) of `values` lies, between neighbours interpolated. */
export function quantile(values, at) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * at;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

export const median = (values) => quantile(values, 0.5);

/** The middle half: where it begins, its middle, where it ends. */
export function middle(values) {
  return { low: quantile(values, 0.25), mid: median(values), high: quantile(values, 0.75) };
}
