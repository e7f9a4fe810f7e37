//! Everyday values, by kind. A language model says which kinds fit a parameter ([`ValueKinds`](super::ValueKinds)).

/// Values of one kind. The first two are those that a model is asked about.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) values: &'static [&'static str],
    /// Whether the values are numbers.
    pub(super) numbers: bool,
}

const fn words(name: &'static str, values: &'static [&'static str]) -> Kind {
    Kind { name, values, numbers: false }
}

const fn numbers(name: &'static str, values: &'static [&'static str]) -> Kind {
    Kind { name, values, numbers: true }
}

pub(super) const KINDS: &[Kind] = &[
    words("person", &[
        "Emma Clark", "Ravi Patel", "Tom Okafor", "Sofia Marino", "Mei Tanaka", "Carlos Vega", "Hannah Weiss",
        "Omar Farouk", "Nina Petrova", "Liam Byrne", "Grace Kim", "Paul Dubois", "Aisha Khan", "David Novak",
        "Jack Turner", "Lena Hoffmann",
    ]),
    words("first name", &[
        "Anna", "Ben", "Chloe", "Diego", "Ella", "Felix", "Kofi", "Lucy", "Marco", "Nora", "Priya", "Sam", "Yuki",
    ]),
    words("artist", &[
        "the Rolling Stones", "Miles Davis", "Lady Gaga", "Bob Marley", "Coldplay", "Nina Simone", "Johnny Cash",
        "Adele", "Daft Punk", "Shakira", "Elvis Presley", "Billie Holiday", "the Beach Boys", "Bach",
    ]),
    words("city", &[
        "Lisbon", "Chicago", "Osaka", "Denver", "Cape Town", "Milan", "Dublin", "Vienna", "Seattle", "Bangkok",
        "Geneva", "Montreal", "Nairobi", "Salem", "San Diego", "Brooklyn",
    ]),
    words("country", &[
        "Norway", "Peru", "Japan", "Egypt", "Canada", "Vietnam", "Spain", "Kenya", "Greece", "Brazil", "Poland",
        "New Zealand",
    ]),
    words("state", &[
        "Texas", "Ohio", "California", "Bavaria", "Florida", "Nevada", "Oregon", "Maine", "Georgia", "Montana",
        "Quebec", "Virginia",
    ]),
    words("place", &[
        "Central Park", "the airport", "Union Station", "the city museum", "the old harbor", "Lake Louise",
        "the university", "Hyde Park", "the north beach", "the town hall", "Mount Rainier", "the zoo",
    ]),
    words("address", &[
        "12 Park Avenue", "221 Baker Street", "48 Elm Street", "5 Harbor Road", "77 Mill Lane", "1600 Oak Drive",
        "9 Station Square", "310 Pine Street",
    ]),
    words("near", &[
        "nearby", "near me", "close by", "around here", "in the area", "within walking distance", "downtown",
        "in town", "closest", "around the corner",
    ]),
    words("day", &[
        "tomorrow", "next Tuesday", "today", "on Friday", "this Sunday", "Monday", "tonight", "next Saturday",
        "the day after tomorrow", "Thursday morning",
    ]),
    words("date", &[
        "March 14th", "May 3, 2024", "September 21st", "the 5th of June", "July 30", "October 12th, 2023",
        "New Year's Eve", "December 1", "August 18, 2025", "the 22nd of April",
    ]),
    words("numeric date", &[
        "2024-05-18", "2023-11-02", "2025-01-30", "2024-08-09", "2023-06-21", "2024-12-24", "2022-03-15",
        "2025-10-07",
    ]),
    words("date and time", &[
        "2024-05-18 09:00:00", "2023-11-02 18:30:00", "2025-01-30 07:15:00", "2024-08-09 20:00:00",
        "2023-06-21 12:45:00", "2024-12-24 16:00:00", "2022-03-15 10:30:00",
    ]),
    words("time", &[
        "8 am", "19:30", "noon", "half past ten", "quarter to six", "10:15", "9 o'clock", "midnight", "3 pm", "14:00",
        "6:45 in the morning", "5 pm",
    ]),
    words("period", &[
        "this weekend", "next week", "from Monday to Friday", "in the evening", "in three hours", "next month",
        "this afternoon", "over the holidays", "in two weeks", "this summer", "the last seven days",
    ]),
    words("duration", &[
        "20 minutes", "two hours", "three days", "a week", "45 seconds", "six months", "an hour and a half", "10 min",
        "two years", "90 minutes",
    ]),
    words("frequency", &["every day", "weekly", "once a month", "on weekdays", "every morning", "twice a week"]),
    numbers("few", &["2", "4", "1", "3", "5", "6", "7", "8", "9", "10"]),
    words("number word", &["two", "six", "one", "three", "four", "five", "seven", "eight", "nine", "ten"]),
    numbers("dozens", &["20", "45", "12", "15", "18", "25", "30", "36", "50", "64", "75", "90"]),
    numbers("many", &["250", "1500", "120", "300", "480", "640", "800", "1000", "2400", "5000"]),
    numbers("decimal", &["4.5", "99.95", "0.75", "12.3", "2.5", "37.8", "3.14", "19.99", "150.25"]),
    numbers("year", &["1998", "2021", "1975", "2005", "2016", "1984", "2023", "1969", "2010"]),
    words("money", &[
        "$40", "200 euros", "12 dollars", "$99.95", "1,000 pounds", "50 bucks", "$250", "75 euros", "20 cents",
    ]),
    words("percentage", &["15 percent", "50%", "80%", "5 percent", "100%", "30%", "2.5%"]),
    words("unit", &[
        "stars", "points", "kilometers", "degrees", "miles", "pounds", "grams", "liters", "celsius", "feet",
    ]),
    words("food", &[
        "sushi", "pasta", "chicken soup", "pancakes", "tacos", "apple pie", "fried rice", "burgers", "a salad",
        "lasagna", "noodles", "pizza",
    ]),
    words("cuisine", &[
        "Italian", "Thai", "vegan", "Mexican", "Indian", "Greek", "Korean", "French", "Lebanese", "Ethiopian",
    ]),
    words("drink", &["coffee", "green tea", "orange juice", "beer", "red wine", "water"]),
    words("eatery", &["restaurant", "bar", "cafe", "steakhouse", "bakery", "diner", "pizzeria", "pub", "food truck"]),
    words("business", &[
        "Blue Fig", "The Old Mill", "Luigi's", "Golden Wok", "Casa Verde", "Smoke and Oak", "Corner Bistro",
        "The Copper Pot", "Sunrise Hotel", "Grand Plaza",
    ]),
    words("facility", &[
        "parking", "a pool", "wifi", "outdoor seating", "a gym", "breakfast", "a terrace", "air conditioning",
    ]),
    words("genre", &[
        "jazz", "rock", "classical", "hip hop", "blues", "country", "science fiction", "comedy", "horror", "folk",
        "thriller", "techno",
    ]),
    words("title", &[
        "Ocean Song", "The Last Train", "City of Rain", "A Winter's Walk", "Running Late", "Paper Boats",
        "Golden Hour", "The Long Way Home", "Second Chance", "Learning to Fly", "The Blue Door", "Shadows of Rome",
        "The Silver Lake", "Moonlight",
    ]),
    words("medium", &[
        "song", "album", "movie", "book", "video", "novel", "game", "TV show", "podcast", "magazine", "painting",
        "photo", "soundtrack",
    ]),
    words("list", &[
        "summer hits", "morning run", "party mix", "road trip", "groceries", "to do", "favorites", "wish list",
        "study music", "weekend chores",
    ]),
    words("app", &["Spotify", "Youtube", "Netflix", "Gmail", "Facebook", "Uber", "Amazon", "WhatsApp", "Deezer"]),
    words("quality", &[
        "best", "popular", "cheap", "top rated", "newest", "highest", "good", "fancy", "most recent", "worst",
    ]),
    words("which", &["this", "the current", "the last", "my", "the next", "the first", "another", "all", "her", "our"]),
    words("weather", &["rain", "snowy", "sunny", "windy", "cloudy", "foggy", "a storm", "humid"]),
    words("temperature", &["21 degrees", "70 F", "warmer", "cold", "freezing", "hot", "18 C", "chilly"]),
    words("symptom", &[
        "headache", "fever", "a cough", "back pain", "a sore throat", "nausea", "a rash", "dizziness",
    ]),
    words("matter", &[
        "team meeting", "dentist appointment", "birthday party", "project review", "job interview", "gym class",
        "lunch with Sam", "doctor's visit", "rent payment", "book club",
    ]),
    words("chore", &[
        "buy milk", "call the bank", "water the plants", "pay the rent", "pick up the kids", "finish the report",
        "take my pills", "walk the dog",
    ]),
    words("message", &[
        "I will be late", "Happy birthday", "call me back", "see you at six", "thanks for your help",
        "the meeting is canceled", "good morning", "where are you",
    ]),
    words("email", &[
        "emma@mail.com", "tom.okafor@work.org", "info@shop.net", "ravi@mail.com", "nina.p@example.com",
        "support@store.com",
    ]),
    words("user name", &["user77", "ravi_p", "bluebird9", "lena_h", "jsmith", "sunny_day", "tom1985", "mika"]),
    words("id", &["A48213", "K9021", "88-1204", "10045", "ORD-5521", "734982", "TX119", "20240077", "B-302"]),
    words("secret", &["secret42", "x7f3q2", "pass1234", "Tr33house", "qwerty99", "m9v4k1z8", "open-sesame"]),
    words("phone", &["555-0142", "+44 20 7946 0958", "555-0187", "212-555-0100", "020 555 0136"]),
    words("url", &[
        "https://example.com/page", "www.news.com/today", "example.org/a.pdf", "shop.net/item/12",
        "https://site.com/photo.jpg",
    ]),
    words("file", &["report.pdf", "photo.png", "notes.txt", "budget.xlsx", "song.mp3", "data.csv"]),
    words("language", &["French", "Spanish", "German", "Hindi", "Japanese", "Portuguese", "Arabic", "Swahili"]),
    words("currency", &["euros", "USD", "yen", "pounds", "CAD", "Swiss francs", "EUR", "rupees"]),
    words("company", &["Apple", "AAPL", "Toyota", "TSLA", "Microsoft", "Nike", "Siemens", "GOOG"]),
    words("device", &[
        "the lamp", "thermostat", "air conditioner", "front door", "the TV", "coffee machine", "heater", "my phone",
        "the fan",
    ]),
    words("room", &["kitchen", "bedroom", "living room", "garage", "office", "bathroom", "hallway"]),
    words("color", &["red", "dark blue", "green", "white", "black", "yellow", "pink"]),
    words("product", &[
        "running shoes", "laptop", "blue jacket", "headphones", "a backpack", "coffee beans", "a desk chair",
        "an umbrella", "batteries",
    ]),
    words("size", &["small", "large", "medium", "XL", "size 42", "extra large"]),
    words("status", &["on", "off", "done", "pending", "open", "closed", "urgent", "high", "low"]),
    words("topic", &[
        "climate change", "the French Revolution", "quantum physics", "solar energy", "healthy eating",
        "machine learning", "ancient Rome", "black holes",
    ]),
    words("sport", &["football", "tennis", "the Lakers", "swimming", "the marathon", "Real Madrid"]),
    words("vehicle", &["car", "bus", "train", "bike", "taxi", "a van"]),
    words("animal", &["dog", "cat", "horse", "parrot", "rabbit"]),
    words("job", &["engineer", "nurse", "manager", "teacher", "Dr. Kim", "plumber"]),
    words("formula", &["3 + 5", "12 * 7", "100 / 4", "2 ** 8"]),
];
