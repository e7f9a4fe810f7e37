//! Values made from patterns, so that a Solver cannot learn them by heart.

use rand::Rng;

const FIRST: &[&str] = &[
    "Alice", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Gloria", "Hugo", "Ingrid", "Jamal", "Keiko",
    "Leo", "Maya", "Noah", "Olga", "Pedro", "Quinn", "Rosa", "Stefan", "Tara", "Uma", "Victor", "Wendy",
    "Yusuf", "Zoe",
];
const LAST: &[&str] = &[
    "Adams", "Bauer", "Chen", "Diaz", "Evans", "Fischer", "Garcia", "Hughes", "Ivanov", "Jensen", "Kumar",
    "Lopez", "Moreau", "Nguyen", "Olsen", "Price", "Quintero", "Rossi", "Singh", "Thomas", "Ueda", "Vargas",
    "Wong", "Young",
];
const ADJECTIVES: &[&str] = &[
    "Bright", "Broken", "Cold", "Crimson", "Dark", "Distant", "Early", "Endless", "Fallen", "Gentle",
    "Golden", "Green", "Hidden", "Hollow", "Last", "Little", "Lonely", "Lost", "Modern", "Old", "Quiet",
    "Secret", "Silent", "Slow", "Strange", "Sweet", "Wild", "Young",
];
const NOUNS: &[&str] = &[
    "Anchor", "Arrow", "Bridge", "Candle", "Circle", "Cloud", "Dream", "Echo", "Empire", "Feather", "Fire",
    "Forest", "Fox", "Garden", "Ghost", "Harbor", "Heart", "Horizon", "House", "Island", "Kingdom",
    "Lantern", "Letter", "Mirror", "Moon", "Mountain", "Night", "Ocean", "Orchard", "Promise", "River",
    "Road", "Shadow", "Sky", "Star", "Storm", "Stranger", "Summer", "Tower", "Train", "Valley", "Voice",
    "Winter", "Wolf",
];
const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// What people do with [`THINGS`].
const DEEDS: &[&str] = &[
    "bring", "check", "clean", "collect", "fix", "move", "order", "pack", "pick up", "print", "renew",
    "return", "send", "sell", "sort out", "wash",
];
const THINGS: &[&str] = &[
    "the books",
    "the contract",
    "the keys",
    "the photos",
    "the tickets",
    "the parcel",
    "the bike",
    "the car",
    "the chairs",
    "the coffee machine",
    "the curtains",
    "the passport",
    "the invoices",
    "the slides",
    "my glasses",
    "my blue jacket",
    "my laptop",
    "your umbrella",
    "our tent",
    "the form",
    "the flowers",
    "the old phone",
];
const LETTERS: &[&str] = &["A", "B", "C", "D", "E", "F", "G", "H", "K", "M", "N", "P", "R", "T", "X", "Z"];

/// A value of a pattern, in which each name in braces is drawn by itself: `{Adj} {Noun}` is `Quiet River`. A name that
/// is none stays.
pub(super) fn made(pattern: &str, rng: &mut impl Rng) -> String {
    let mut value = String::new();
    let mut rest = pattern;
    while let Some((before, (slot, after))) =
        rest.split_once('{').and_then(|(before, inner)| Some((before, inner.split_once('}')?)))
    {
        value.push_str(before);
        value.push_str(&drawn(slot, rng));
        rest = after;
    }
    value + rest
}

fn drawn(slot: &str, rng: &mut impl Rng) -> String {
    let mut word = |words: &[&str]| words[rng.random_range(0..words.len())].to_owned();
    match slot {
        "First" => word(FIRST),
        "first" => word(FIRST).to_lowercase(),
        "Last" => word(LAST),
        "last" => word(LAST).to_lowercase(),
        "Adj" => word(ADJECTIVES),
        "Noun" => word(NOUNS),
        "noun" => word(NOUNS).to_lowercase(),
        "Month" => word(MONTHS),
        "Day" => word(DAYS),
        "do" => word(DEEDS),
        "thing" => word(THINGS),
        "L" => word(LETTERS),
        // Of 4 to 20, each has the ending "th".
        "d" => rng.random_range(4..=20).to_string(),
        "h" => rng.random_range(1..=12).to_string(),
        "n" => rng.random_range(10..=99).to_string(),
        "hh" => format!("{:02}", rng.random_range(0..24)),
        "mm" => format!("{:02}", rng.random_range(1..=12)),
        "dd" => format!("{:02}", rng.random_range(1..=28)),
        "min" => format!("{:02}", 5 * rng.random_range(0..12)),
        "year" => rng.random_range(1960..=2029).to_string(),
        other => format!("{{{other}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::KINDS;
    use super::*;
    use sparring_core::Seed;

    #[test]
    fn patterns_are_filled() {
        let mut rng = Seed::new(1).rng();
        for pattern in KINDS.iter().flat_map(|kind| &kind.made) {
            let value = made(pattern, &mut rng);
            assert!(!value.contains(['{', '}']), "{pattern}: {value}");
        }
        assert_eq!(made("a {b} c", &mut rng), "a {b} c");
        assert_eq!(made("a {", &mut rng), "a {");
        for kind in KINDS.iter().filter(|kind| kind.numbers) {
            assert!(kind.made.iter().all(|pattern| made(pattern, &mut rng).parse::<f64>().is_ok()));
        }
    }
}
