//! TensorBoard's files: records with checksums around protobuf messages, of which four kinds are written.
//!
//! A record is the length of its data (8 bytes, little-endian), the masked CRC-32C of these 8 bytes, the data, and the
//! masked CRC-32C of the data (`tensorflow/core/lib/io/record_writer.h`). Messages and field numbers are those of
//! `event.proto` and `summary.proto`.

/// One event of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    /// Seconds since 1970.
    pub(super) wall_time: f64,
    pub(super) step: u64,
    pub(super) what: What<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    /// The first event of a file.
    Version,
    /// The run continues here: events of earlier files with this step or a later one do not count.
    Start,
    /// Values by tag.
    Scalars(&'a [(String, f32)]),
}

/// The record of an event.
pub(super) fn record(event: &Event<'_>) -> Vec<u8> {
    let data = message(event);
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(&data);
    record.extend(masked_checksum(&data).to_le_bytes());
    record
}

/// A checksum of data that may contain checksums.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn message(event: &Event<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    fixed(&mut out, 1, &event.wall_time.to_le_bytes());
    if event.step > 0 {
        key(&mut out, 2, VARINT);
        varint(&mut out, event.step);
    }
    match event.what {
        What::Version => bytes(&mut out, 3, b"brain.Event:2"),
        What::Scalars(values) => {
            let mut summary = Vec::new();
            for (tag, value) in values {
                let mut one = Vec::new();
                bytes(&mut one, 1, tag.as_bytes());
                // A member of a `oneof`: 0 is written too.
                fixed(&mut one, 2, &value.to_le_bytes());
                bytes(&mut summary, 1, &one);
            }
            bytes(&mut out, 5, &summary);
        }
        // `SessionLog { status: START }`.
        What::Start => bytes(&mut out, 7, &[1 << 3, 1]),
    }
    out
}

/// Wire types of protobuf.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn bytes(out: &mut Vec<u8>, field: u64, data: &[u8]) {
    key(out, field, BYTES);
    varint(out, data.len() as u64);
    out.extend(data);
}

/// A number of 4 or 8 bytes.
fn fixed(out: &mut Vec<u8>, field: u64, number: &[u8]) {
    key(out, field, if number.len() == 8 { 1 } else { 5 });
    out.extend(number);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// What this program prints:
    ///
    /// ```python
    /// # tensorboard 2.21.0
    /// from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    /// from tensorboard.compat.proto.summary_pb2 import Summary
    /// from tensorboard.summary.writer.record_writer import RecordWriter
    /// import io
    ///
    /// value = lambda tag, x: Summary.Value(tag=tag, simple_value=x)
    /// file = io.BytesIO()
    /// writer = RecordWriter(file)
    /// for event in [
    ///     Event(wall_time=1.5, file_version="brain.Event:2"),
    ///     Event(wall_time=2.5, step=300, session_log=SessionLog(status=SessionLog.START)),
    ///     Event(wall_time=3.5, step=300, summary=Summary(value=[value("solver/reward", 0.25), value("lr", -1e-6)])),
    ///     Event(wall_time=4.5, summary=Summary(value=[value("evaluation/heldout", 0)])),
    /// ]:
    ///     writer.write(event.SerializeToString())
    /// text = file.getvalue().hex()
    /// for i in range(0, len(text), 100):
    ///     print('    "' + text[i : i + 100] + '",')
    /// ```
    const GOLDEN: &[&str] = &[
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c100000000000000095fb",
        "fe1809000000000000044010ac023a0208017d05b37d2f000000000000006d5d1d50090000000000000c4010ac022a210a14",
        "0a0d736f6c7665722f726577617264150000803e0a090a026c7215bd3786b51fe0a8a32600000000000000734fe300090000",
        "0000000012402a1b0a190a126576616c756174696f6e2f68656c646f757415000000001e9a62c3",
    ];

    #[test]
    fn the_bytes_are_those_of_tensorboard() {
        let tag = |tag: &str, value: f32| (tag.to_owned(), value);
        let values = [tag("solver/reward", 0.25), tag("lr", -1e-6)];
        let zero = [tag("evaluation/heldout", 0.0)];
        let events = [
            (1.5, 0, What::Version),
            (2.5, 300, What::Start),
            (3.5, 300, What::Scalars(&values)),
            (4.5, 0, What::Scalars(&zero)),
        ];
        let written = events.map(|(wall_time, step, what)| record(&Event { wall_time, step, what }));
        let mut hex = String::new();
        for byte in written.concat() {
            write!(hex, "{byte:02x}").unwrap();
        }
        assert_eq!(hex, GOLDEN.concat());
    }
}
