/** Length (8 bytes), its checksum, and the data's checksum after the data. */
const HEAD = 12;
const FOOT = 4;

/** What CRC32C makes of each byte: the Castagnoli polynomial, bits reversed (RFC 3720, B.4). */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** CRC32C as TFRecord stores it: rotated, plus a constant, because a CRC over data that contain CRCs is weak. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One record of TensorFlow's TFRecord format. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(HEAD + data.length + FOOT);
  record.writeBigUInt64LE(BigInt(data.length));
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, HEAD);
  record.writeUInt32LE(maskedCrc32c(data), HEAD + data.length);
  return record;
}

/** The data of the records at the start of `file`, up to the first truncated or damaged one, as after a crash. */
export function readRecords(file: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 0; at + HEAD + FOOT <= bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const end = at + HEAD + length;
    const isWhole =
      bytes.readUInt32LE(at + 8) === maskedCrc32c(bytes.subarray(at, at + 8)) && end + FOOT <= bytes.length;
    if (!isWhole) break;
    const data = bytes.subarray(at + HEAD, end);
    if (bytes.readUInt32LE(end) !== maskedCrc32c(data)) break;
    records.push(data);
    at = end + FOOT;
  }
  return records;
}
