// Loaded into an ipam process: at every SIGUSR2 its wall clock jumps, by up to an hour either way.
const real = Date.now;
let offsetMs = 0;

Date.now = () => real() + offsetMs;
process.on('SIGUSR2', () => {
  offsetMs = Math.trunc((Math.random() - 0.5) * 7_200_000);
});
