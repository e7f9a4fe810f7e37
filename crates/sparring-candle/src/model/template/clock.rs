//! `strftime_now`, on a day that never ends.

/// What each letter of a format stands for on 26 July 2024, a Friday, at midnight.
const FIELDS: [(char, &str); 34] = [
    ('a', "Fri"),
    ('A', "Friday"),
    ('w', "5"),
    ('u', "5"),
    ('d', "26"),
    ('e', "26"),
    ('b', "Jul"),
    ('h', "Jul"),
    ('B', "July"),
    ('m', "07"),
    ('y', "24"),
    ('Y', "2024"),
    ('C', "20"),
    ('G', "2024"),
    ('g', "24"),
    ('H', "00"),
    ('I', "12"),
    ('M', "00"),
    ('S', "00"),
    ('f', "000000"),
    ('p', "AM"),
    ('P', "am"),
    ('z', ""),
    ('Z', ""),
    ('j', "208"),
    ('U', "29"),
    ('W', "30"),
    ('V', "30"),
    ('c', "Fri Jul 26 00:00:00 2024"),
    ('x', "07/26/24"),
    ('X', "00:00:00"),
    ('D', "07/26/24"),
    ('F', "2024-07-26"),
    ('T', "00:00:00"),
];

/// Today's date, for templates that print it. The clock is fixed at 26 July 2024, the default date of
/// Llama 3's templates, so that the same conversation gives the same tokens on every day.
pub(super) fn strftime_now(format: String) -> String {
    let mut out = String::new();
    let mut rest = format.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = after;
        // As in C, `-` leaves out the zeros in front.
        let bare = after.strip_prefix('-');
        let mut chars = bare.unwrap_or(after).chars();
        let letter = chars.next();
        match letter.and_then(field) {
            Some(field) => {
                let digits = field.len() > 1 && field.bytes().all(|byte| byte.is_ascii_digit());
                let short = field.trim_start_matches('0');
                out.push_str(match bare {
                    Some(_) if digits => {
                        if short.is_empty() {
                            "0"
                        } else {
                            short
                        }
                    }
                    _ => field,
                });
                rest = chars.as_str();
            }
            None => out.push('%'),
        }
    }
    out + rest
}

fn field(letter: char) -> Option<&'static str> {
    match letter {
        '%' => Some("%"),
        'n' => Some("\n"),
        't' => Some("\t"),
        'R' => Some("00:00"),
        'r' => Some("12:00:00 AM"),
        _ => FIELDS.iter().find(|(found, _)| *found == letter).map(|(_, text)| *text),
    }
}
