/** The wire types of Protocol Buffers that ONNX graphs and SentencePiece models need: a writer, and a reader for untrusted bytes. */

const utf8 = new TextEncoder();

/** Writes one message; fields in the order of calls. Numbers outside 32 bits are written exactly up to 2^53, bigint up to 64 bits. */
export class ProtoWriter {
  #bytes = new Uint8Array(256);
  #size = 0;

  /** Varint field: unsigned, or a negative int64 as its 10-byte two's complement. */
  int(field: number, value: number | bigint): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#varint(field * 8 + 5);
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(this.#size, value, true);
    this.#size += 4;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(value.byteLength);
    this.#reserve(value.byteLength);
    this.#bytes.set(value, this.#size);
    this.#size += value.byteLength;
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  message(field: number, value: ProtoWriter): this {
    return this.bytes(field, value.finish());
  }

  /** @returns a view of what was written so far */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  #varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === "number" && value >= 0) {
      let rest = value;
      while (rest > 127) {
        this.#bytes[this.#size++] = (rest % 128) | 128;
        rest = Math.floor(rest / 128);
      }
      this.#bytes[this.#size++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#bytes[this.#size++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.#size++] = Number(rest);
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.byteLength) return;
    const grown = new Uint8Array(Math.max(this.#bytes.byteLength * 2, this.#size + more));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}

/** One field of a message. Wire types 3 and 4 (groups) do not exist in the formats we read. */
export type ProtoField =
  | { readonly field: number; readonly wire: 0; readonly value: bigint }
  | { readonly field: number; readonly wire: 1 | 2 | 5; readonly bytes: Uint8Array };

/**
 * Fields of one message, in file order; bytes are views.
 * @param fail makes the error for a defect at `offset`: the caller knows whose file it is
 */
export function* readProto(bytes: Uint8Array, fail: (what: string, offset: number) => Error): Generator<ProtoField, void, undefined> {
  let at = 0;
  const varint = (): bigint => {
    const from = at;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw fail("it ends inside a number", from);
      if (shift > 63n) throw fail("a number of more than 64 bits", from);
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.byteLength - at) throw fail(`expected ${length} bytes, got ${bytes.byteLength - at}`, at);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.byteLength) {
    const start = at;
    const tag = varint();
    const field = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (field < 1 || field > 536_870_911) throw fail(`field number ${field}`, start);
    switch (wire) {
      case 0:
        yield { field, wire, value: varint() };
        break;
      case 1:
        yield { field, wire, bytes: take(8) };
        break;
      case 2: {
        const length = varint();
        yield { field, wire, bytes: take(length > BigInt(bytes.byteLength) ? bytes.byteLength + 1 : Number(length)) };
        break;
      }
      case 5:
        yield { field, wire, bytes: take(4) };
        break;
      default:
        throw fail(`wire type ${wire}`, start);
    }
  }
}
