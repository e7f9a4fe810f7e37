//! Macros that take any arguments, which minijinja does not have: what is beyond their parameters is given to them as
//! two more, `varargs` and `kwargs`.

use super::token::Token;
use std::collections::HashMap;

/// Macros that read `varargs` or `kwargs`, with the names of their parameters.
pub(super) type Variadic = HashMap<String, Vec<String>>;

/// The variadic macros of a template, by the tokens of its tags in order.
pub(super) fn variadic<'a>(tags: impl Iterator<Item = &'a [Token]>) -> Variadic {
    let mut found = Variadic::new();
    let mut open: Vec<(String, Vec<String>)> = Vec::new();
    for tag in tags {
        match tag {
            [Token::Name(statement), Token::Name(name), parameters @ ..] if statement == "macro" => {
                open.push((name.clone(), parameter_names(parameters)));
            }
            [Token::Name(statement), ..] if statement == "endmacro" => {
                open.pop();
            }
            _ if tag
                .iter()
                .any(|token| matches!(token, Token::Name(name) if name == "varargs" || name == "kwargs")) =>
            {
                found.extend(open.last().cloned());
            }
            _ => {}
        }
    }
    found
}

/// Names that begin a parameter: after the opening bracket, or a comma on the same level.
fn parameter_names(tokens: &[Token]) -> Vec<String> {
    let (mut names, mut depth) = (Vec::new(), 0);
    for pair in tokens.windows(2) {
        match pair[0] {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth -= 1,
            _ => {}
        }
        if let (Token::Sign("(" | ","), Token::Name(name), 1) = (&pair[0], &pair[1], depth) {
            names.push(name.clone());
        }
    }
    names
}
