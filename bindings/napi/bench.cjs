// One measurement of the installed packages: `node bench.cjs events|dump BUNDLE`, `require`, `load BUNDLE KEY`.

const { readFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const [what, bundle, key = `${bundle}.pub.pem`] = process.argv.slice(2);
const seconds = (started) => (performance.now() - started) / 1000;

function required(name) {
  const started = performance.now();
  const module = require(name);
  return [module, `${(1000 * seconds(started)).toFixed(1)} ms`];
}

async function main() {
  const [{ verify }, time] = required('./verifier/node_modules/@walwarden/verifier');
  if (what === 'require') {
    return console.log(`require: @walwarden/verifier ${time}, walwarden-cli ${required('./cli/node_modules/walwarden-cli')[1]}`);
  }
  const publicKeys = [readFileSync(key, 'utf8')];
  if (what === 'load') {
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    const started = performance.now();
    for (let round = 0; round < 20; round += 1) await Promise.all(Array.from({ length: 100 }, () => verify(bundle, { publicKeys })));
    delays.disable();
    const p99 = (delays.percentile(99) / 1e6).toFixed(1);
    return console.log(`100 at once: ${Math.round(2000 / seconds(started))} verifications/s, event loop p99 ${p99} ms`);
  }
  const started = performance.now();
  const report = await verify(bundle, { publicKeys });
  const elapsed = seconds(started);
  if (report.exit !== 0) throw new Error(String(report));
  console.log(`@walwarden/verifier: ${what}: ${elapsed.toFixed(3)} s, ${Math.round(report.events / elapsed)} events/s`);
}

main();
