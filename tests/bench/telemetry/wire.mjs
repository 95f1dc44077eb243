// Bytes as they go over the wire: protobuf by hand, snappy, and the two messages of the bench.
//
// Made once, before any clock runs: what sending costs the client is the same for every server.

/** Protobuf fields, appended to a buffer that grows. */
export class Writer {
  constructor(bytes = 1 << 16) {
    this.buffer = Buffer.allocUnsafe(bytes);
    this.length = 0;
  }
  room(bytes) {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + bytes));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
  varint(value) {
    this.room(10);
    while (value >= 128) {
      this.buffer[this.length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    this.buffer[this.length++] = value;
  }
  bytes(field, bytes) {
    this.varint(field * 8 + 2);
    this.varint(bytes.length);
    this.raw(bytes);
  }
  raw(bytes) {
    this.room(bytes.length);
    bytes.copy(this.buffer, this.length);
    this.length += bytes.length;
  }
  text(field, text) {
    this.bytes(field, Buffer.from(text));
  }
  number(field, value) {
    this.varint(field * 8);
    this.varint(value);
  }
  double(field, value) {
    this.varint(field * 8 + 1);
    this.room(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }
  fixed64(field, value) {
    this.varint(field * 8 + 1);
    this.room(8);
    this.length = this.buffer.writeBigUInt64LE(value, this.length);
  }
  /** A copy of what was written; the buffer is used again. */
  done() {
    const out = Buffer.from(this.buffer.subarray(0, this.length));
    this.length = 0;
    return out;
  }
}

const BLOCK = 1 << 16;
const table = new Int32Array(1 << 14);

/** Snappy: copies of what came up to 64 KiB before, literals for the rest. */
export function snappy(input) {
  const out = new Writer(32 + input.length + Math.ceil(input.length / 6));
  out.varint(input.length);
  const literal = (from, to) => {
    while (from < to) {
      const length = Math.min(to - from, BLOCK);
      if (length <= 60) out.buffer[out.length++] = (length - 1) << 2;
      else {
        out.buffer[out.length++] = 61 << 2;
        out.length = out.buffer.writeUInt16LE(length - 1, out.length);
      }
      input.copy(out.buffer, out.length, from, from + length);
      out.length += length;
      from += length;
    }
  };
  const copy = (distance, length) => {
    while (length > 0) {
      const part = Math.min(length, 64);
      out.buffer[out.length++] = ((part - 1) << 2) | 2;
      out.length = out.buffer.writeUInt16LE(distance, out.length);
      length -= part;
    }
  };
  table.fill(-1);
  let [at, plain] = [0, 0];
  while (at + 4 <= input.length) {
    const word = input.readInt32LE(at);
    const hash = Math.imul(word, 0x1e35a7bd) >>> 18;
    const before = table[hash];
    table[hash] = at;
    if (before < 0 || at - before >= BLOCK || input.readInt32LE(before) !== word) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < input.length && input[before + length] === input[at + length]) length++;
    literal(plain, at);
    copy(at - before, length);
    at += length;
    plain = at;
  }
  literal(plain, input.length);
  return out.done();
}

/** The label fields of a series in a remote-write message: they are the same in each. */
export function labelFields(labels) {
  const [all, one] = [new Writer(512), new Writer(256)];
  for (const [name, value] of labels) {
    one.text(1, name);
    one.text(2, value);
    all.bytes(1, one.done());
  }
  return all.done();
}

/** A remote-write 1.0 request with one sample of each series at one time, packed. */
export function remoteWrite(series, values, timeMs) {
  const [message, body, sample] = [new Writer(1 << 20), new Writer(1024), new Writer(64)];
  series.forEach(({ fields }, at) => {
    sample.double(1, values[at]);
    sample.number(2, timeMs);
    body.raw(fields);
    body.bytes(2, sample.done());
    message.bytes(1, body.done());
  });
  return snappy(message.done());
}

/** An attribute of OTLP: a text or a whole number. */
export const attribute = (key, text) => {
  const [value, pair] = [new Writer(64), new Writer(128)];
  if (typeof text === "number") value.number(3, text);
  else value.text(1, text);
  pair.text(1, key);
  pair.bytes(2, value.done());
  return pair.done();
};

/** One span of an OTLP message. Times are nanoseconds since 1970 as BigInt, ids are buffers. */
export function span(writer, { traceId, spanId, parentId, name, kind, startNs, endNs, attributes, error }) {
  writer.bytes(1, traceId);
  writer.bytes(2, spanId);
  if (parentId) writer.bytes(4, parentId);
  writer.text(5, name);
  writer.number(6, kind);
  writer.fixed64(7, startNs);
  writer.fixed64(8, endNs);
  for (const attribute of attributes) writer.bytes(9, attribute);
  if (error) {
    const status = new Writer(16);
    status.number(3, 2);
    writer.bytes(15, status.done());
  }
  return writer.done();
}

/** An OTLP request of spans: `groups` are pairs of the resource's attributes and the spans' bytes. */
export function traceRequest(groups) {
  const request = new Writer(1 << 20);
  for (const { resource, spans } of groups) {
    const [resourceSpans, message, scopeSpans, scope] = [new Writer(1 << 18), new Writer(512), new Writer(1 << 18), new Writer(64)];
    for (const pair of resource) message.bytes(1, pair);
    resourceSpans.bytes(1, message.done());
    scope.text(1, "bench");
    scopeSpans.bytes(1, scope.done());
    for (const one of spans) scopeSpans.bytes(2, one);
    resourceSpans.bytes(2, scopeSpans.done());
    request.bytes(1, resourceSpans.done());
  }
  return request.done();
}
