use super::cursor::Ahead;
use super::grammar::Body;

/// Returns whether a tag only speaks of calls: "the `<tool_call>` tag opens a call". Then what follows it can be no
/// call. Everything else after an opening tag is an attempt at one, and an error if it fails.
pub(super) fn is_mention(tag: &str, body: &Body, after: &str, end: bool) -> Ahead<()> {
    // Inside an attribute, everything is a name.
    if !body.is_demanding() || tag.ends_with('"') {
        return Ahead::No;
    }
    let undecided = if end { Ahead::No } else { Ahead::Perhaps };
    let mut chars = after.chars();
    let Some(first) = chars.next() else { return undecided };
    match first {
        // A list of JSON begins inside the tag.
        _ if tag.ends_with('[') && !(first.is_whitespace() || matches!(first, '{' | ']' | '[')) => {
            Ahead::Yes(())
        }
        '`' if after.starts_with("```") => Ahead::No,
        '`' if "```".starts_with(after) => undecided,
        '`' | '\'' | '"' | ',' | ';' | ')' => Ahead::Yes(()),
        // A name before JSON may begin so.
        '.' | ':' | '!' | '?' if !matches!(body, Body::Named(_)) => Ahead::Yes(()),
        // Words follow, and neither JSON nor a name alone.
        ' ' if matches!(body, Body::Json(_) | Body::Keyed(_) | Body::Xml(_)) => match chars.next() {
            Some(second) if second.is_alphabetic() => Ahead::Yes(()),
            Some(_) => Ahead::No,
            None => undecided,
        },
        _ => Ahead::No,
    }
}
