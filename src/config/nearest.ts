/** The candidate that a typo most likely meant, or undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = normalise(word);
  let best: string | undefined;
  let bestDistance = Math.min(plain.length, Math.max(2, Math.floor(plain.length / 3) + 1));
  for (const candidate of candidates) {
    const other = normalise(candidate);
    const beginning = Math.min(plain.length, other.length) > 2 && (other.startsWith(plain) || plain.startsWith(other));
    const distance = beginning ? Math.min(1, Math.abs(other.length - plain.length)) : editDistance(plain, other);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `, did you mean "paths"?`, else the list of what is valid. */
export function suggest(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates);
  return found === undefined ? `; valid: ${candidates.join(", ")}` : `, did you mean "${found}"?`;
}

/** `stateDir`, `state-dir` and `STATE_DIR` all mean `state_dir`. */
function normalise(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours from one word to the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2] + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length];
}
