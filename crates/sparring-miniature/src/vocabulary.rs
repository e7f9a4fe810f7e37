//! The vocabulary of the world: slots for parameters, verbs, objects and their domains.

/// The values of a slot and how they are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A free string, drawn from these.
    Words(&'static [&'static str]),
    /// A free string of two words: one of each list.
    Title(&'static [&'static str], &'static [&'static str]),
    /// A full hour from `7am` to `6pm`.
    Time,
    /// An integer of this inclusive range.
    Integer(i64, i64),
    /// A number with a half, such as `2.5`, of this range: never whole.
    Number(i64, i64),
    /// True or false, expressed by one of the first or of the second phrases.
    Boolean(&'static [&'static str], &'static [&'static str]),
    /// One of a closed list.
    Enum(&'static [&'static str]),
}

/// The topic of a parameter.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The parameter's name.
    pub(crate) name: &'static str,
    /// Its values.
    pub(crate) kind: Kind,
    /// Its phrase in a request; `{}` is the value. Unused for booleans.
    pub(crate) phrases: &'static [&'static str],
}

const CITIES: &[&str] = &[
    "Paris", "London", "Tokyo", "Berlin", "Madrid", "Rome", "Oslo", "Cairo", "Lima", "Dublin", "Vienna",
    "Prague", "Seoul", "Delhi", "Milan", "Athens", "Lisbon", "Boston", "Denver", "Austin", "Miami", "Dallas",
    "Geneva", "Munich", "Zurich", "Warsaw", "Kyoto", "Osaka", "Sydney", "Perth", "Nairobi", "Accra", "Quito",
    "Havana", "Bogota", "Helsinki", "Porto", "Naples", "Leeds", "York",
];
const PEOPLE: &[&str] = &[
    "Alice", "Bob", "Carol", "David", "Emma", "Frank", "Grace", "Henry", "Irene", "Jack", "Karen", "Leo",
    "Maria", "Nina", "Oscar", "Paula", "Quinn", "Rosa", "Sam", "Tina", "Uma", "Victor", "Wendy", "Yusuf",
    "Zoe", "Adam", "Bella", "Carl", "Diana", "Erik",
];
const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const FOODS: &[&str] = &[
    "pasta", "salad", "soup", "coffee", "bread", "cheese", "rice", "noodles", "tacos", "sushi", "curry",
    "apples", "bananas", "milk", "eggs", "honey",
];
const TOPICS: &[&str] = &[
    "sports",
    "music",
    "science",
    "politics",
    "travel",
    "art",
    "history",
    "fashion",
    "business",
    "gardening",
    "cooking",
    "games",
];
const ADJECTIVES: &[&str] =
    &["blue", "silent", "golden", "lost", "old", "happy", "dark", "wild", "small", "secret", "last", "green"];
const NOUNS: &[&str] = &[
    "river", "garden", "city", "star", "winter", "forest", "road", "house", "ocean", "summer", "mirror",
    "bird",
];
const STREETS: &[&str] = &[
    "Park Lane",
    "Mill Road",
    "High Street",
    "Oak Avenue",
    "Lake View",
    "Hill Court",
    "Rose Walk",
    "King Square",
];

/// Every slot.
pub(crate) const SLOTS: &[Slot] = &[
    slot("city", Kind::Words(CITIES), &["in {}", "near {}", "around {}"]),
    slot("origin", Kind::Words(CITIES), &["from {}", "leaving {}"]),
    slot("destination", Kind::Words(CITIES), &["bound for {}", "going to {}"]),
    slot("address", Kind::Words(STREETS), &["at {}", "on {}"]),
    slot("person", Kind::Words(PEOPLE), &["for {}", "on behalf of {}"]),
    slot("recipient", Kind::Words(PEOPLE), &["to {}", "addressed to {}"]),
    slot("partner", Kind::Words(PEOPLE), &["with {}", "together with {}"]),
    slot("day", Kind::Words(DAYS), &["on {}", "this {}"]),
    slot("time", Kind::Time, &["at {}", "by {}"]),
    slot("food", Kind::Words(FOODS), &["with {}", "featuring {}"]),
    slot("topic", Kind::Words(TOPICS), &["about {}", "regarding {}"]),
    slot("title", Kind::Title(ADJECTIVES, NOUNS), &["called {}", "titled {}", "named {}"]),
    slot("guests", Kind::Integer(2, 40), &["for {} guests", "with {} people"]),
    slot("count", Kind::Integer(2, 99), &["{} times", "with a count of {}"]),
    slot("minutes", Kind::Integer(5, 95), &["for {} minutes", "lasting {} minutes"]),
    slot("stars", Kind::Integer(1, 10), &["with {} stars", "giving {} stars"]),
    slot("price", Kind::Number(2, 90), &["under {} dollars", "costing at most {} dollars"]),
    slot("weight", Kind::Number(1, 30), &["weighing {} kilos", "of {} kilos"]),
    slot("level", Kind::Number(5, 40), &["to level {}", "at {} degrees"]),
    slot("color", Kind::Enum(&["red", "blue", "green", "white"]), &["in color {}", "colored {}"]),
    slot("size", Kind::Enum(&["small", "medium", "large"]), &["in size {}", "of {} size"]),
    slot("unit", Kind::Enum(&["metric", "imperial"]), &["in {} units", "using {} units"]),
    slot("currency", Kind::Enum(&["USD", "EUR", "GBP"]), &["in {} currency", "paid in {}"]),
    slot("breakfast", boolean(&["with breakfast", "breakfast included"], &["without breakfast"]), &[]),
    slot("insured", boolean(&["with insurance", "insured"], &["without insurance"]), &[]),
    slot("urgent", boolean(&["urgently", "as urgent"], &["with no hurry"]), &[]),
    slot("private", boolean(&["in private", "privately"], &["in public"]), &[]),
    slot("vegan", boolean(&["made vegan", "vegan only"], &["not vegan"]), &[]),
];

const fn slot(name: &'static str, kind: Kind, phrases: &'static [&'static str]) -> Slot {
    Slot { name, kind, phrases }
}

const fn boolean(yes: &'static [&'static str], no: &'static [&'static str]) -> Kind {
    Kind::Boolean(yes, no)
}

/// A verb: its form in tool names, and paraphrases for requests.
pub(crate) struct Verb {
    /// Its form in tool names.
    pub(crate) name: &'static str,
    /// Paraphrases.
    pub(crate) says: &'static [&'static str],
}

/// Every verb.
pub(crate) const VERBS: &[Verb] = &[
    Verb { name: "get", says: &["get", "show me", "fetch"] },
    Verb { name: "book", says: &["book", "reserve", "arrange"] },
    Verb { name: "cancel", says: &["cancel", "call off", "drop"] },
    Verb { name: "send", says: &["send", "deliver", "dispatch"] },
    Verb { name: "find", says: &["find", "search for", "look up"] },
    Verb { name: "set", says: &["set", "configure", "adjust"] },
    Verb { name: "create", says: &["create", "make", "prepare"] },
    Verb { name: "track", says: &["track", "monitor", "follow"] },
    Verb { name: "rate", says: &["rate", "review", "judge"] },
    Verb { name: "share", says: &["share", "forward", "pass on"] },
    Verb { name: "delete", says: &["delete", "remove", "erase"] },
    Verb { name: "compare", says: &["compare", "weigh up", "contrast"] },
];

/// An object: its form in tool names, nouns for requests, its domain, and its slots.
pub(crate) struct Object {
    /// Its form in tool names.
    pub(crate) name: &'static str,
    /// Nouns that requests use.
    pub(crate) says: &'static [&'static str],
    /// Its domain.
    pub(crate) domain: &'static str,
    /// Names of its slots.
    pub(crate) slots: &'static [&'static str],
}

const fn object(
    domain: &'static str,
    name: &'static str,
    says: &'static [&'static str],
    slots: &'static [&'static str],
) -> Object {
    Object { name, says, domain, slots }
}

/// Every object.
pub(crate) const OBJECTS: &[Object] = &[
    object("travel", "hotel", &["hotel", "hotel room"], &["city", "day", "guests", "price", "breakfast"]),
    object(
        "travel",
        "flight",
        &["flight", "plane trip"],
        &["origin", "destination", "day", "price", "insured"],
    ),
    object("travel", "taxi", &["taxi", "cab"], &["address", "time", "person", "urgent"]),
    object("travel", "train", &["train", "train ride"], &["origin", "destination", "time", "person"]),
    object("travel", "museum", &["museum", "museum tour"], &["city", "day", "guests", "topic"]),
    object("food", "table", &["table", "restaurant table"], &["city", "time", "guests", "private"]),
    object("food", "recipe", &["recipe", "cooking recipe"], &["food", "guests", "minutes", "vegan"]),
    object("food", "pizza", &["pizza", "pizza order"], &["size", "food", "address", "vegan"]),
    object("food", "grocery", &["grocery", "grocery list"], &["food", "count", "price", "day"]),
    object("work", "meeting", &["meeting", "work meeting"], &["partner", "time", "day", "topic"]),
    object("work", "invoice", &["invoice", "bill"], &["recipient", "currency", "price", "urgent"]),
    object("work", "email", &["email", "mail"], &["recipient", "topic", "time", "urgent"]),
    object("work", "report", &["report", "written report"], &["topic", "title", "day", "private"]),
    object("home", "lamp", &["lamp", "light"], &["color", "minutes", "time", "level"]),
    object("home", "heater", &["heater", "heating"], &["level", "time", "minutes", "unit"]),
    object("home", "door", &["door", "front door"], &["time", "person", "address", "private"]),
    object("home", "alarm", &["alarm", "alarm clock"], &["time", "day", "count", "title"]),
    object("fun", "song", &["song", "tune"], &["title", "minutes", "count", "private"]),
    object("fun", "movie", &["movie", "film"], &["title", "city", "time", "stars"]),
    object("fun", "game", &["game", "board game"], &["title", "partner", "guests", "stars"]),
    object("fun", "concert", &["concert", "live show"], &["city", "day", "price", "guests"]),
    object("health", "workout", &["workout", "exercise"], &["minutes", "day", "count", "partner"]),
    object("health", "doctor", &["doctor", "doctor visit"], &["city", "person", "time", "urgent"]),
    object("health", "diet", &["diet", "meal plan"], &["food", "weight", "day", "vegan"]),
    object("health", "pill", &["pill", "medicine"], &["count", "time", "person", "weight"]),
    object("news", "weather", &["weather", "weather forecast"], &["city", "day", "unit", "time"]),
    object("news", "story", &["story", "news story"], &["topic", "title", "day", "count"]),
    object("news", "stock", &["stock", "share price"], &["currency", "price", "day", "count"]),
    object("news", "poll", &["poll", "survey"], &["topic", "day", "count", "private"]),
    object("shop", "shirt", &["shirt", "top"], &["color", "size", "price", "count"]),
    object("shop", "parcel", &["parcel", "package"], &["recipient", "weight", "address", "insured"]),
    object("shop", "gift", &["gift", "present"], &["recipient", "price", "color", "day"]),
    object("shop", "novel", &["novel", "paper book"], &["title", "price", "count", "stars"]),
];

/// The slot of this name.
pub(crate) fn slot_by_name(name: &str) -> Option<&'static Slot> {
    SLOTS.iter().find(|s| s.name == name)
}
