'use strict';

// Every change of what is judged or trusted ends what runs and takes the shown verdict away: it would be about something else.
let worker = null;
let request = 0;

/** Takes files as they were dropped or chosen, each in the role its beginning tells. A bundle with its keys begins anew. */
async function sortFiles(files) {
  const mine = changed();
  let sorted;
  try {
    sorted = await Promise.all(files.map(async (file) => ({ file, role: await roleOf(file) })));
  } catch ({ message }) {
    if (mine === request) the('sorted').textContent = printable(message);
    return;
  }
  if (mine !== request) return;
  const bundles = sorted.filter(({ role }) => role === 'bundle');
  if (bundles.length > 1) {
    const names = bundles.map(({ file }) => printable(file.name)).join(', ');
    the('sorted').textContent = `Only one of these can be the bundle: ${names}. Drop them one at a time.`;
    return;
  }
  if (bundles.length === 1 && sorted.some(({ role }) => role === 'publicKeys')) {
    for (const role of Object.keys(chosen)) chosen[role] = [];
  }
  for (const { file, role } of sorted) choose(role, file);
  listChosen();
  verifyWhenReady();
}

function verifyWhenReady() {
  if (chosen.bundle.length === 0) return;
  if (namesKey()) verify();
  else the('sorted').textContent = 'Now the public key. Without one, the evidence can only be held against itself: press Verify.';
}

/** Ends what runs and forgets the verdict; returns the number of what comes next. */
function changed() {
  worker?.terminate();
  worker = null;
  the('running').hidden = true;
  the('result').replaceChildren();
  the('sorted').textContent = '';
  listChosen();
  return ++request;
}

function listChosen() {
  const rows = Object.entries(ROLES).filter(([role, { seldom }]) => !seldom || chosen[role].length > 0).map(([role, { title, several }]) => {
    const files = chosen[role].map((file, index) => element('div', {}, `${file.name}, ${bytes(file.size)} `,
      element('button', { type: 'button', ariaLabel: `Remove ${printable(file.name)}`, onclick: () => remove(role, index) }, 'Remove')));
    const input = element('input', { type: 'file', id: `choose-${role}`, multiple: Boolean(several), onchange: () => chooseFrom(role, input) });
    const choice = element('label', { className: 'button' }, input, 'Choose…', element('span', { className: 'unseen' }, ` ${title}`));
    return element('tr', { id: `chosen-${role}` }, element('th', { scope: 'row' }, title), element('td', {}, ...files), element('td', {}, choice));
  });
  the('chosen').tBodies[0].replaceChildren(...rows);
  the('verify').disabled = chosen.bundle.length === 0;
}

function chooseFrom(role, input) {
  if (input.files.length === 0) return;
  for (const file of input.files) choose(role, file);
  changed();
  verifyWhenReady();
}

function remove(role, index) {
  chosen[role] = chosen[role].filter((_, at) => at !== index);
  changed();
  the(`choose-${role}`)?.focus();
}

async function verify() {
  const mine = changed();
  const [file] = chosen.bundle;
  the('doing').textContent = 'Starting';
  the('progress').removeAttribute('value');
  the('running').hidden = false;
  const hear = (said) => mine === request && heard(file, said);
  const module = await verifier.catch((error) => void hear({ broken: error.message }));
  const trusted = await trust().catch((error) => void hear({ unusable: { what: 'file', message: error.message } }));
  if (mine !== request) return;
  worker = new Worker(workerAddress());
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = worker.onmessageerror = ({ message }) => hear({ broken: message ?? 'it cannot be understood' });
  worker.postMessage({ module, file, trust: trusted, now: Date.now() });
}

function heard(file, { progress, done, unusable, broken }) {
  if (progress) {
    the('doing').textContent = `${progress.doing}: ${bytes(progress.at)} of ${bytes(progress.size)}`;
    the('progress').value = progress.at / progress.size;
    return;
  }
  changed();
  if (done) showReport(file, done);
  else if (unusable) showTrouble(unusable.message, ADVICE[unusable.what] ?? ADVICE.file);
  else showTrouble(`The verifier stopped: ${broken}`, ADVICE.broken);
}

const ADVICE = {
  bundle: 'The file was changed, moved or removed after you chose it, or its disk cannot be read. Choose it again; copy it to this computer first where it lies elsewhere.',
  authority: 'Timestamps cannot be checked in a page. Remove the certificate, or use the command walwarden-verify with --tsa-ca.',
  file: 'See whether each file is in its role above, and whether it is the one you mean.',
  broken: 'This says nothing about the evidence. Close other pages and try again; if it stays, use the command walwarden-verify, and report this as a bug.',
};

/** The verifier, which lies in this page zipped and in base64. */
async function unpack() {
  const zipped = Uint8Array.from(atob(the('wasm').textContent.trim()), (character) => character.charCodeAt(0));
  const wasm = new Blob([zipped]).stream().pipeThrough(new DecompressionStream('gzip'));
  return WebAssembly.compile(await new Response(wasm).arrayBuffer());
}

const verifier = unpack();
verifier.catch(() => {}); // told by whoever waits for it

/** The worker's script is in this page, too; the policy of the page lets no other address become a worker. */
const workerAddress = (() => {
  const address = URL.createObjectURL(new Blob([the('worker').textContent], { type: 'text/javascript' }));
  const policy = globalThis.trustedTypes?.createPolicy('walwarden-worker', { createScriptURL: () => address });
  return () => policy?.createScriptURL('') ?? address;
})();

the('request').onsubmit = (event) => {
  event.preventDefault();
  verify();
};
the('cancel').onclick = () => {
  changed();
  the('sorted').textContent = 'Cancelled: nothing was verified.';
};
the('more').oninput = changed;
the('files').onchange = () => {
  const files = [...the('files').files];
  the('files').value = '';
  if (files.length > 0) sortFiles(files);
};
// A file that misses the zone would be opened in place of this page.
ondragover = (event) => {
  event.preventDefault();
  the('drop').classList.add('over');
};
ondragleave = () => the('drop').classList.remove('over');
ondrop = (event) => {
  event.preventDefault();
  the('drop').classList.remove('over');
  const files = [...event.dataTransfer.files];
  if (files.length > 0) sortFiles(files);
};
changed();
