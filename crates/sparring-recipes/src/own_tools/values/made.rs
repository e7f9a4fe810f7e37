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

/// Words of [`phrase`]s besides [`ADJECTIVES`] and [`NOUNS`].
const VERBS: &[&str] = &[
    "Begin", "Burn", "Call", "Come", "Count", "Dance", "Drive", "Fall", "Follow", "Forget", "Hold", "Keep",
    "Leave", "Listen", "Live", "Look", "Love", "Meet", "Remember", "Ride", "Run", "Sing", "Stay", "Turn",
    "Wait", "Walk", "Want", "Wonder",
];
const BETWEEN: &[&str] = &[
    "a", "about", "all", "and", "at", "by", "for", "from", "how", "in", "into", "is", "it", "me", "my", "no",
    "not", "of", "on", "or", "our", "over", "the", "this", "to", "under", "we", "when", "with", "you",
    "your",
];
/// Parts of [`invented`] names.
const ONSETS: &[&str] = &[
    "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "pr",
    "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "y", "z",
];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "ie", "o", "a", "e", "i"];
const CODAS: &[&str] = &["", "", "l", "m", "n", "r", "s", "t", "ck", "nd", "rt", "x"];

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
        "New" => invented(rng),
        "Phrase" => phrase(rng),
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

/// A name that does not exist: a Solver that copies it has not learnt it by heart.
fn invented(rng: &mut impl Rng) -> String {
    let mut part = |parts: &[&'static str]| parts[rng.random_range(0..parts.len())];
    let mut name = String::new();
    let syllables = [part(ONSETS), part(VOWELS), part(ONSETS), part(VOWELS), part(CODAS)];
    name.extend(syllables);
    if rng.random::<bool>() {
        name.push_str(VOWELS[rng.random_range(0..5)]);
    }
    capital(&name)
}

/// One to five words with no sense, as titles have them: a Solver that copies it has not judged by sense where it ends.
fn phrase(rng: &mut impl Rng) -> String {
    let words = rng.random_range(1..=5);
    let small = rng.random_range(0..3) == 0;
    let word = |i: usize| {
        let of = |words: &[&str], rng: &mut _| words[Rng::random_range(rng, 0..words.len())].to_owned();
        let word = match rng.random_range(0..8) {
            // No phrase ends with a word that waits for another one.
            0..=2 if i + 1 < words => of(BETWEEN, rng),
            3 | 4 => of(VERBS, rng),
            5 => of(ADJECTIVES, rng),
            6 if i > 0 => rng.random_range(2..=2029).to_string(),
            7 => invented(rng),
            _ => of(NOUNS, rng),
        };
        if i == 0 { capital(&word) } else { word }
    };
    let text = (0..words).map(word).collect::<Vec<_>>().join(" ");
    if small { text.to_lowercase() } else { text }
}

/// A word with a capital letter.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::KINDS;
    use super::*;
    use sparring_core::Seed;
    use std::collections::HashSet;

    #[test]
    fn invented_values_differ_and_end_with_a_word_of_their_own() {
        let mut rng = Seed::new(1).rng();
        let names: HashSet<String> = (0..1000).map(|_| invented(&mut rng)).collect();
        assert!(names.len() > 900 && names.iter().all(|name| name.starts_with(char::is_uppercase)));
        let phrases: HashSet<String> = (0..1000).map(|_| phrase(&mut rng)).collect();
        assert!(phrases.len() > 700, "{}", phrases.len());
        for phrase in phrases {
            let words: Vec<&str> = phrase.split(' ').collect();
            assert!((1..=5).contains(&words.len()) && !BETWEEN.contains(&words[words.len() - 1]), "{phrase}");
        }
    }

    #[test]
    fn patterns_are_filled() {
        let mut rng = Seed::new(1).rng();
        for pattern in KINDS.iter().flat_map(|kind| kind.made.iter().chain(&kind.invented)) {
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
