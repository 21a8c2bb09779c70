/** UTF-8 as headers hold it: checked where it lies, decoded only when it is read. */

// ignoreBOM: U+FEFF is a token like others, not a mark to drop
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Shorter ones are made here: a call out of JavaScript costs as much as a dozen bytes. */
const shortBytes = 16;

/** @returns undefined for anything that is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length < shortBytes && isAscii(bytes)) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const repairer = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text in any encoding, for people: what is not UTF-8 becomes U+FFFD. */
export function repairUtf8(bytes: Uint8Array): string {
  return repairer.decode(bytes);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0x80) >= 0x80) return false;
  return true;
}

/**
 * Whether the bytes `from` … `to` are UTF-8 by themselves. Decoding says the same and costs ten times as much for each short string.
 * Source: the Unicode standard, table 3-7 (well-formed byte sequences).
 */
export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  /** A byte behind the end reads as 0, which continues nothing. */
  const byteAt = (at: number): number => (at < to ? (bytes[at] ?? 0) : 0);
  for (let at = from; at < to; ) {
    const first = bytes[at] ?? 0;
    if (first < 0x80) {
      at += 1;
      continue;
    }
    const second = byteAt(at + 1);
    if (first < 0xc2 || !isContinuation(second)) return false;
    if (first < 0xe0) {
      at += 2;
      continue;
    }
    // Neither overlong, nor a surrogate, nor beyond U+10FFFF: the first two bytes tell.
    const start = (first << 8) | second;
    if (start < 0xe0a0 || (start > 0xed9f && start < 0xee80) || !isContinuation(byteAt(at + 2))) return false;
    if (first < 0xf0) {
      at += 3;
      continue;
    }
    if (start < 0xf090 || start > 0xf48f || !isContinuation(byteAt(at + 3))) return false;
    at += 4;
  }
  return true;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
