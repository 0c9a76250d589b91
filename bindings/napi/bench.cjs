// One measurement of the installed packages: `node bench.cjs events|dump BUNDLE`, `require`, `load BUNDLE KEY`,
// `busy BUNDLE KEY SIGNING-KEY BIN-DIR DSN FOLDER`.

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

const idle = () => p99(() => new Promise((resolve) => setTimeout(resolve, 2000)));

/** A hundred verifications always under way, ten backups, and both. */
async function busy(verify, publicKeys, signingKey, binDir, dsn, folder) {
  const { Engine, FileKey, openStorage } = require('./cli/node_modules/walwarden-cli');
  const engine = await Engine.open('acme', { signer: await FileKey.load(signingKey), clientDirs: [binDir] });
  const storage = await openStorage(folder, { makeFolder: true });
  const backups = () => Promise.all(Array.from({ length: 10 }, (_, number) => engine.backup(`shop-${number}`, dsn, storage)));
  const verifications = async (until) => {
    let ended = false;
    const rounds = async () => {
      while (!ended) await verify(bundle, { publicKeys });
    };
    const begun = Array.from({ length: 100 }, rounds);
    await until.finally(() => (ended = true));
    await Promise.all(begun);
  };
  const before = await idle();
  const alone = await p99(() => verifications(new Promise((resolve) => setTimeout(resolve, 3000))));
  console.log(`Node: p99 ${alone} ms, ${await p99(backups)} ms, ${await p99(() => verifications(backups()))} ms; ${before} ms with nothing to do`);
}

async function main() {
  const [{ verify }, time] = required('./verifier/node_modules/@walwarden/verifier');
  if (what === 'require') {
    return console.log(`require: @walwarden/verifier ${time}, walwarden-cli ${required('./cli/node_modules/walwarden-cli')[1]}`);
  }
  const publicKeys = [readFileSync(key, 'utf8')];
  if (what === 'busy') return busy(verify, publicKeys, ...process.argv.slice(5));
  if (what === 'load') {
    const before = await idle();
    const started = performance.now();
    const loaded = await p99(async () => {
      const rounds = async () => {
        for (let round = 0; round < 30; round += 1) await verify(bundle, { publicKeys });
      };
      await Promise.all(Array.from({ length: 100 }, rounds));
    });
    const rate = Math.round(3000 / seconds(started));
    return console.log(`100 at once: ${rate} verifications/s; event loop p99 ${loaded} ms, ${before} ms with nothing to do`);
  }
  const started = performance.now();
  const report = await verify(bundle, { publicKeys });
  const elapsed = seconds(started);
  if (report.exit !== 0) throw new Error(String(report));
  console.log(`@walwarden/verifier: ${what}: ${elapsed.toFixed(3)} s, ${Math.round(report.events / elapsed)} events/s`);
}

main();
