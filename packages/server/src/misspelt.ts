/** Whether one word was meant by another: for "did you mean" in messages. */

/** Whether two words differ by no more than two letters; by one where one of them is short. */
export function isMisspelt(a: string, b: string): boolean {
  return distance(a, b) <= (Math.min(a.length, b.length) < 5 ? 1 : 2);
}

/** Which of `known` was meant by a name that is none of them; undefined where none is like it. */
export function meantBy(name: string, known: readonly string[]): string | undefined {
  if (known.includes(name)) return undefined;
  return known.find((one) => isMisspelt(name.toLowerCase(), one.toLowerCase()));
}

/** How many letters to change, add, drop or swap with their neighbour to get from one word to the other. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      let best = Math.min(at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), at(i - 1, j) + 1, at(i, j - 1) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      row.push(best);
    }
  }
  return at(a.length, b.length);
}
