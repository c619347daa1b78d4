// Runs the checks of mqtt-wasm: node run.mjs mqtt_wasm.wasm vectors.jsonl
// Each check has a control, which has to fail.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const [wasm, vectors] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(wasm));

// What the check says if it fails, and undefined if it passes. A panic ends an instance, so each check has its own.
function failure(check) {
  const { exports } = new WebAssembly.Instance(module);
  exports.start();
  assert.equal(exports.length_bits(), 32);
  try {
    check(exports);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    const report = new Uint8Array(exports.memory.buffer, exports.report(), exports.report_len());
    return new TextDecoder().decode(report) || error.message;
  }
}

function checkVectors(text, count) {
  return failure((exports) => {
    const bytes = new TextEncoder().encode(text);
    const place = exports.input(bytes.length);
    new Uint8Array(exports.memory.buffer, place, bytes.length).set(bytes);
    assert.equal(exports.check_vectors(), count);
  });
}

const lines = readFileSync(vectors, 'utf8').trimEnd().split('\n');
assert.equal(lines.length, 170);
assert.equal(checkVectors(lines.join('\n'), lines.length), undefined);
console.log(`${lines.length} vectors`);

// The same with one digit of one packet changed, in its middle.
const wrong = lines.map((line) => JSON.parse(line));
const changed = wrong.find((vector) => vector.valid && vector.packet.cmd === 'publish');
const middle = changed.hex.length / 2;
changed.hex = changed.hex.slice(0, middle) + (changed.hex[middle] === '4' ? '5' : '4') + changed.hex.slice(middle + 1);
const report = checkVectors(wrong.map((vector) => JSON.stringify(vector)).join('\n'), wrong.length);
assert.match(report ?? 'the control passed', /^panicked at src.vectors\.rs/);
console.log('a wrong vector is noticed');

for (const level of [4, 5]) {
  assert.equal(failure((exports) => exports.check_exactly_once(level, true)), undefined);
  const control = failure((exports) => exports.check_exactly_once(level, false));
  assert.match(control ?? 'the control passed', /^panicked at src.exactly_once\.rs/);
}
console.log('QoS 2 over a cut, in 3.1.1 and 5.0; a lost session is noticed');
