'use strict';

/** The files that the auditor chose, each in its role. */
const ROLES = {
  bundle: { title: 'Evidence bundle' },
  publicKeys: { title: 'Public keys you trust', several: true },
  witnessPolicy: { title: 'Witness policy' },
  policy: { title: 'Audit policy' },
  keptCheckpoint: { title: 'Checkpoint you kept' },
  authorities: { title: 'Authorities of timestamps', several: true, seldom: true },
};

const chosen = Object.fromEntries(Object.keys(ROLES).map((role) => [role, []]));

/** Puts a file in a role: beside what is there, where there may be several. */
function choose(role, file) {
  chosen[role] = ROLES[role].several ? [...chosen[role], file] : [file];
}

/**
 * Which role a dropped file has, by how it begins. Whatever is called a bundle is one, lest a key passed off as a bundle become a
 * trusted one. Throws where it is nothing that this page takes.
 */
async function roleOf(file) {
  if (/\.t?gz$/i.test(file.name)) return 'bundle';
  const beginning = await readable(file, () => file.slice(0, 64 << 10).arrayBuffer());
  const [first, second] = new Uint8Array(beginning);
  if (first === 0x1f && second === 0x8b) return 'bundle';
  const begin = new TextDecoder().decode(beginning);
  if (/-----BEGIN ([A-Z]+ )*PRIVATE KEY-----/.test(begin)) throw new Error(`${file.name} holds a private key, which is of no use here and nobody's but its owner's. The public key is what is needed.`);
  const role = file.size > LARGEST_TEXT ? undefined : textRole(begin);
  if (role === undefined) throw new Error(`${file.name} begins like nothing that is listed here. If it is one of these all the same, choose it in its row.`);
  return role;
}

function textRole(begin) {
  if (/-----BEGIN CERTIFICATE-----/.test(begin)) return 'authorities';
  if (/-----BEGIN /.test(begin)) return 'publicKeys';
  if (/"walwarden\.audit-policy"/.test(begin)) return 'policy';
  if (/^— \S/m.test(begin)) return 'keptCheckpoint';
  if (/^[ \t]*(log|witness|group|quorum)[ \t]/m.test(begin)) return 'witnessPolicy';
  return undefined;
}

/** What the auditor trusts and demands, as the verifier takes it. */
async function trust() {
  const texts = async (files) => Promise.all(files.map(utf8));
  const whole = async ([file]) => file && new Uint8Array(await readable(file, () => file.arrayBuffer()));
  const lines = (id) => the(id).value.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const pasted = the('pem').value.trim() === '' ? [] : [the('pem').value];
  return {
    publicKeys: [...await texts(chosen.publicKeys), ...pasted],
    fingerprints: lines('fingerprints'),
    witnesses: lines('witnesses'),
    witnessPolicy: await whole(chosen.witnessPolicy),
    policy: await whole(chosen.policy),
    asOf: the('as-of').value.trim() || undefined,
    keptCheckpoint: await whole(chosen.keptCheckpoint),
    authorities: await texts(chosen.authorities),
    level: the('level').value === '' ? undefined : Number(the('level').value),
  };
}

/** Whether anything names a key, so that more than level 0 can be reached. */
function namesKey() {
  const typed = ['pem', 'fingerprints'].some((id) => the(id).value.trim() !== '');
  return typed || chosen.publicKeys.length > 0 || chosen.witnessPolicy.length > 0;
}

async function utf8(file) {
  const content = await readable(file, () => file.arrayBuffer());
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new Error(`${file.name}: this is no text in UTF-8`);
  }
}

async function readable(file, read) {
  try {
    return await read();
  } catch (error) {
    throw new Error(`${file.name} cannot be read; a folder is no file: choose what is in it. The browser says: ${error.message}`);
  }
}

const LARGEST_TEXT = 4 << 20;
