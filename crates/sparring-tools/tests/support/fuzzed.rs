//! Properties of any bytes, shared by the fuzz target and the test over its corpus.
use sparring_tools::{ByteStream, CallParser, Format, conformance};

/// The first byte chooses the format, the second the length of the pieces; the others are the text.
///
/// # Panics
/// If the result depends on the split, or rendering and reading again changes it.
pub(crate) fn check(data: &[u8]) {
    let [format, piece, bytes @ ..] = data else { return };
    let format = Format::ALL[usize::from(*format) % Format::ALL.len()];
    let parser = format.parser();
    let text = String::from_utf8_lossy(bytes);
    let whole = parser.read(&text);
    let mut stream = ByteStream::new(parser.stream());
    for piece in bytes.chunks(usize::from(*piece).max(1)) {
        stream.feed(piece);
    }
    assert_eq!(stream.finish().1, whole, "{}", parser.name());
    let letters: Vec<&str> = text.char_indices().map(|(i, c)| &text[i..i + c.len_utf8()]).collect();
    let pieces: Vec<String> = letters.chunks(usize::from(*piece).max(1)).map(<[&str]>::concat).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(conformance::streams_in(&*parser, &pieces), Ok(()), "{}", parser.name());
    if let Ok(calls) = parser.parse(&text) {
        let written = parser.render(&calls);
        assert_eq!(parser.parse(&written), Ok(calls), "{}: {written}", parser.name());
    }
}
