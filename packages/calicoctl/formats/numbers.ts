// Numbers as Go's fmt writes them.

/** Verb %.5g: at most five digits, with an exponent where the number is larger. */
export function formatShort(value: number): string {
  if (value === 0) return '0';
  const [mantissa = '', exponent] = value.toPrecision(5).split('e');
  const digits = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  if (exponent === undefined) return digits;
  const power = Number(exponent);
  const sign = power < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** Verb %.f of part/whole in per cent: halves go to the even neighbour. */
export function formatPercent(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (100 * part) / whole;
  const floor = Math.floor(percent);
  const rest = percent - floor;
  const isUp = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  return `${isUp ? floor + 1 : floor}%`;
}
