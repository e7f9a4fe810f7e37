//! Regular expressions of other languages, as JSON Schema writes them (ECMA-262).

/// Translates Python's, Ruby's and .NET's anchors (`\A`, `\Z`, `\z`) and Python's named groups (`(?P<name>...)`).
pub(super) fn ecma(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut rest, mut in_class) = (pattern, false);
    while let Some(c) = rest.chars().next() {
        let (read, written) = match (c, in_class) {
            ('\\', false) if rest.starts_with("\\A") => (2, "^"),
            ('\\', false) if rest.starts_with("\\Z") || rest.starts_with("\\z") => (2, "$"),
            ('\\', _) => {
                let n = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                (n, &rest[..n])
            }
            ('(', false) if rest.starts_with("(?P<") => (4, "(?<"),
            ('[', false) | (']', true) => {
                in_class = !in_class;
                (1, &rest[..1])
            }
            _ => (c.len_utf8(), &rest[..c.len_utf8()]),
        };
        out.push_str(written);
        rest = &rest[read..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::ecma;

    #[test]
    fn anchors_and_groups_are_translated_and_nothing_else_changes() {
        for (pattern, want) in [
            (r"\A\d+\Z", r"^\d+$"),
            (r"^a\z", "^a$"),
            (r"(?P<year>\d{4})", r"(?<year>\d{4})"),
            (r"\\A[\Z\]A]\\Z", r"\\A[\Z\]A]\\Z"),
            (r"(?<y>a)(?=b)(?!c)é[^é(?P<]$", r"(?<y>a)(?=b)(?!c)é[^é(?P<]$"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(ecma(pattern), want);
            assert_eq!(ecma(want), want);
        }
    }
}
