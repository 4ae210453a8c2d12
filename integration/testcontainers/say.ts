/** A line of progress with the time since the start. */
export function say(text: string): void {
  const seconds = (performance.now() / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}
