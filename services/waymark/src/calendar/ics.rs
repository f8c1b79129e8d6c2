//! Events of a calendar as RFC 5545 has them. It is written here, as a feed of whole days needs no more than this, goes out
//! page by page, and is the same bytes each time: nothing in it is of the moment it is asked for.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

/// Octets of a line at most, without its end (RFC 5545, 3.1).
const LINE: usize = 75;

/// An event of a whole day.
#[derive(Debug, Clone)]
pub struct Event {
    /// The same for the same thing, however it changes.
    pub uid: String,
    pub day: NaiveDate,
    pub summary: String,
    pub description: String,
    pub category: &'static str,
    /// When what it tells of changed last.
    pub changed: DateTime<Utc>,
    /// How often that changed, as digits.
    pub version: String,
}

/// What stands before the events.
pub fn begin(name: &str) -> String {
    let product = format!("-//Waymark//waymark {}//EN", env!("CARGO_PKG_VERSION"));
    [
        line("BEGIN", "VCALENDAR"),
        line("VERSION", "2.0"),
        line("PRODID", &escaped(&product)),
        line("CALSCALE", "GREGORIAN"),
        line("NAME", &escaped(name)),
        line("X-WR-CALNAME", &escaped(name)),
    ]
    .concat()
}

/// What stands behind them.
pub fn end() -> String {
    line("END", "VCALENDAR")
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.changed.format("%Y%m%dT%H%M%SZ").to_string();
        let fields = [
            ("BEGIN", "VEVENT".to_owned()),
            ("UID", escaped(&self.uid)),
            // Of a feed that is no invitation, DTSTAMP is when the information was last revised (3.8.7.2).
            ("DTSTAMP", changed.clone()),
            ("LAST-MODIFIED", changed),
            ("DTSTART;VALUE=DATE", self.day.format("%Y%m%d").to_string()),
            ("SUMMARY", escaped(&self.summary)),
            ("DESCRIPTION", escaped(&self.description)),
            ("CATEGORIES", self.category.to_owned()),
            ("TRANSP", "TRANSPARENT".to_owned()),
        ];
        for (name, value) in fields {
            f.write_str(&line(name, &value))?;
        }
        if let Ok(version) = self.version.parse::<u32>() {
            f.write_str(&line("SEQUENCE", &version.to_string()))?;
        }
        f.write_str(&line("END", "VEVENT"))
    }
}

/// A text as a value (3.3.11): without control characters but for line ends, which are `\n`.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => value.extend(['\\', c]),
            '\n' | '\r' => value.push_str("\\n"),
            c if c.is_control() => {}
            c => value.push(c),
        }
    }
    value
}

/// A line of content, folded between characters.
fn line(name: &str, value: &str) -> String {
    let (mut folded, mut length) = (String::new(), 0);
    for c in name.chars().chain([':']).chain(value.chars()) {
        if length + c.len_utf8() > LINE {
            folded.push_str("\r\n ");
            // The blank counts.
            length = 1;
        }
        folded.push(c);
        length += c.len_utf8();
    }
    folded + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_and_texts_escaped() {
        let event = Event {
            uid: "target-1@waymark.dev".to_owned(),
            day: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
            summary: "Größe, \"Höhe\"; a\\b ".repeat(8),
            description: "two\r\nlines\u{7}".to_owned(),
            category: "Target",
            changed: DateTime::from_timestamp(1_772_323_200, 0).unwrap(),
            version: "7".to_owned(),
        };
        let text = begin("Waymark w") + &event.to_string() + &end();
        assert!(text.split("\r\n").all(|line| line.len() <= LINE && !line.contains(['\n', '\r'])), "{text}");
        assert!(
            text.contains("DTSTART;VALUE=DATE:20260930\r\n") && text.contains("DTSTAMP:20260301T000000Z\r\n"),
            "{text}"
        );
        assert!(text.contains("DESCRIPTION:two\\nlines\r\n") && text.contains("SEQUENCE:7\r\n"), "{text}");
        // Read by somebody else's parser it says what it was made of.
        let unfolded = icalendar::parser::unfold(&text);
        let read = icalendar::parser::read_calendar(&unfolded).unwrap();
        let read = &read.components[0];
        let value = |name: &str| read.find_prop(name).unwrap().val.as_str().to_owned();
        assert_eq!(value("SUMMARY").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\"), event.summary);
        assert_eq!((value("UID"), value("DTSTART")), (event.uid, "20260930".to_owned()));
    }
}
