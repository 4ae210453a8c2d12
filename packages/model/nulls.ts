/** Members with null mean absent, as in Kubernetes; nulls in lists are values. Most documents have none and stay. */
export function withoutNulls(value: unknown): unknown {
  return hasAbsent(value) ? copyWithoutNulls(value) : value;
}

function hasAbsent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasAbsent);
  for (const member of Object.values(value)) {
    if (member === null || member === undefined || hasAbsent(member)) return true;
  }
  return false;
}

function copyWithoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyWithoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null && member !== undefined)
      .map(([name, member]) => [name, copyWithoutNulls(member)]),
  );
}
