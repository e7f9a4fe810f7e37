//! Numbers of the command line: each has bounds, and a wrong one says what is meant.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A seed.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A count: what is counted may be 0 unless its command says otherwise.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    within(text, 0..=1_000_000_000, "a whole number")
}

/// Threads, which are all started.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    within(text, 1..=4096, "a number of threads")
}

/// The rank of an adapter: beyond the width of a model's layers, it has more weights than they have.
pub(crate) fn rank(text: &str) -> Result<usize, String> {
    within(text, 1..=16_384, "a rank")
}

/// Samples of one prompt.
pub(crate) fn samples(text: &str) -> Result<usize, String> {
    within(text, 1..=10_000, "a number of samples")
}

/// Tokens of one text.
pub(crate) fn tokens(text: &str) -> Result<usize, String> {
    within(text, 1..=10_000_000, "a number of tokens")
}

/// A real number; whoever uses it has bounds for it.
pub(crate) fn real<T: FromStr + Into<f64> + Copy>(text: &str) -> Result<T, String> {
    let number = text.parse::<T>().ok().filter(|number| Into::<f64>::into(*number).is_finite());
    number.ok_or_else(|| "must be a finite number, such as 0.001 or 1e-3".to_owned())
}

fn within<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
    what: &str,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("must be {what} from {} to {}", range.start(), range.end()))
}

/// Lets every option of a command take numbers that begin with a minus, so that these are refused as numbers, not taken
/// for options.
pub(crate) fn may_be_negative(command: clap::Command) -> clap::Command {
    let takes_values = |arg: &clap::Arg| arg.get_action().takes_values();
    let command =
        command.mut_args(|arg| if takes_values(&arg) { arg.allow_negative_numbers(true) } else { arg });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, may_be_negative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["-1", "1.5", "18446744073709551616", "x", ""] {
            assert!(seed(wrong).unwrap_err().starts_with("a seed is a whole number from 0 to "), "{wrong}");
            assert!(count(wrong).unwrap_err().starts_with("must be a whole number from 0 to "), "{wrong}");
        }
        assert_eq!(rank("1000000000"), Err("must be a rank from 1 to 16384".to_owned()));
        assert!(rank("0").is_err() && threads("0").is_err() && threads("1000000").is_err());
        assert_eq!(real::<f32>("-0.5"), Ok(-0.5));
        for wrong in ["nan", "inf", "1e400", "x"] {
            assert!(real::<f64>(wrong).unwrap_err().contains("finite"), "{wrong}");
        }
        assert!(real::<f32>("1e300").is_err());
    }
}
