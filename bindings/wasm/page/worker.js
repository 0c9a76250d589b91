// Runs beside the page and ends with one verification: its memory, whatever became of it, is gone then.

'use strict';

onmessage = ({ data: { module, file, trust, now } }) => {
  try {
    const { memory } = wasm_bindgen.initSync({ module });
    const reading = pieces(file);
    const verification = wasm_bindgen.verify(reading.as('Reading the bundle'), trust, now);
    verification.identify(reading.as('Taking the SHA-256 of the bundle'));
    postMessage({
      done: {
        exit: verification.exit,
        verdict: verification.verdict,
        json: verification.json(),
        text: verification.text(),
        html: verification.html(),
        memoryBytes: memory.buffer.byteLength,
      },
    });
  } catch (error) {
    if (error instanceof wasm_bindgen.Unusable) postMessage({ unusable: { what: error.what, message: error.message } });
    else postMessage({ broken: String(error?.message ?? error) });
  }
};

/** A file as the verifier reads it: one piece at a time. Says ten times a second how far it is. */
function pieces(file) {
  const reader = new FileReaderSync();
  let told = 0;
  let pressure;
  const as = (doing) => ({
    size: file.size,
    read(at, into) {
      if (performance.now() - told > 100) {
        told = performance.now();
        postMessage({ progress: { doing, at, size: file.size } });
      }
      try {
        into.set(new Uint8Array(reader.readAsArrayBuffer(file.slice(at, at + into.length))));
      } catch (error) {
        return error.message;
      }
      // What the reader made is garbage now, but Chromium's collector does not count most of it: the tab would grow as large
      // as the file. This is counted; nobody touches it, so that it takes no memory.
      pressure = new ArrayBuffer(16 * into.length);
    },
  });
  return { as };
}
