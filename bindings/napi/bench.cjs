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

async function p99(work) {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await work();
  delays.disable();
  return (delays.percentile(99) / 1e6).toFixed(1);
}

async function main() {
  const [{ verify }, time] = required('./verifier/node_modules/@walwarden/verifier');
  if (what === 'require') {
    return console.log(`require: @walwarden/verifier ${time}, walwarden-cli ${required('./cli/node_modules/walwarden-cli')[1]}`);
  }
  const publicKeys = [readFileSync(key, 'utf8')];
  if (what === 'load') {
    const idle = await p99(() => new Promise((resolve) => setTimeout(resolve, 2000)));
    const started = performance.now();
    const loaded = await p99(async () => {
      const rounds = async () => {
        for (let round = 0; round < 30; round += 1) await verify(bundle, { publicKeys });
      };
      await Promise.all(Array.from({ length: 100 }, rounds));
    });
    const rate = Math.round(3000 / seconds(started));
    return console.log(`100 at once: ${rate} verifications/s; event loop p99 ${loaded} ms, ${idle} ms with nothing to do`);
  }
  const started = performance.now();
  const report = await verify(bundle, { publicKeys });
  const elapsed = seconds(started);
  if (report.exit !== 0) throw new Error(String(report));
  console.log(`@walwarden/verifier: ${what}: ${elapsed.toFixed(3)} s, ${Math.round(report.events / elapsed)} events/s`);
}

main();
