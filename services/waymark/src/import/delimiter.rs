//! What separates the columns of a row, and how a row is taken apart.

/// What separates columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// A character, with quotes as in RFC 4180.
    Character(char),
    /// Any run of spaces and tabs, without quotes.
    Whitespace,
}

/// What columns are usually separated by, the likeliest first.
pub const USUAL: [Delimiter; 4] =
    [Delimiter::Character(','), Delimiter::Character(';'), Delimiter::Character('\t'), Delimiter::Character('|')];

impl Delimiter {
    /// Reads the option's value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            ("tab" | "\\t", _, _) => Ok(Self::Character('\t')),
            ("whitespace", _, _) => Ok(Self::Whitespace),
            (_, Some(one), None) if one != '"' => Ok(Self::Character(one)),
            _ => Err(format!("{text:?} is not one character, `tab` or `whitespace`")),
        }
    }

    /// The usual delimiter that makes the most columns of a line.
    pub fn of(line: &str) -> Self {
        let columns = |delimiter: &Self| delimiter.split(line).and_then(Result::ok).map_or(0, |cells| cells.len());
        // Of several that make as many, `max_by_key` takes the last.
        USUAL.into_iter().rev().max_by_key(columns).unwrap_or(Self::Character(','))
    }

    /// How the option says it.
    pub fn option(self) -> String {
        match self {
            Self::Character('\t') => "tab".to_owned(),
            Self::Character(character) => format!("'{character}'"),
            Self::Whitespace => "whitespace".to_owned(),
        }
    }

    /// The columns of a row; `None` while a quote is open, so that the row may go on in the next line.
    pub fn split(self, text: &str) -> Option<Result<Vec<String>, String>> {
        let delimiter = match self {
            Self::Whitespace => return Some(Ok(text.split_whitespace().map(str::to_owned).collect())),
            Self::Character(delimiter) => delimiter,
        };
        if !text.contains('"') {
            return Some(Ok(text.split(delimiter).map(str::to_owned).collect()));
        }
        let mut cells = vec![String::new()];
        let mut characters = text.chars().peekable();
        let (mut quoted, mut closed) = (false, false);
        while let Some(c) = characters.next() {
            let Some(cell) = cells.last_mut() else { continue };
            if quoted {
                match c {
                    '"' if characters.peek() == Some(&'"') => cell.extend(characters.next()),
                    '"' => (quoted, closed) = (false, true),
                    other => cell.push(other),
                }
            } else if c == delimiter {
                closed = false;
                cells.push(String::new());
            } else if c == '"' && cell.is_empty() && !closed {
                quoted = true;
            } else if closed {
                return Some(Err(format!("column {} goes on after its closing quote", cells.len())));
            } else {
                cell.push(c);
            }
        }
        (!quoted).then_some(Ok(cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<Result<Vec<String>, String>> {
        Delimiter::Character(',').split(text)
    }

    #[test]
    fn splits_as_rfc_4180_does() {
        let cells = |text| split(text).unwrap().unwrap();
        assert_eq!(cells("a,b,,c"), ["a", "b", "", "c"]);
        assert_eq!(cells(r#"a,"b,c","d ""e""""#), ["a", "b,c", "d \"e\""]);
        assert_eq!(cells("a,\"two\nlines\""), ["a", "two\nlines"]);
        assert_eq!(cells(r#"a,b "c" d"#), ["a", "b \"c\" d"]);
        assert_eq!(
            Delimiter::Whitespace.split("  00001 19970101  1   11.77").unwrap().unwrap(),
            ["00001", "19970101", "1", "11.77"]
        );
    }

    #[test]
    fn an_open_quote_is_not_a_row_yet() {
        assert_eq!(split("a,\"b"), None);
        assert!(split("a,\"b\"c").unwrap().unwrap_err().contains("column 2"));
    }

    #[test]
    fn delimiters() {
        assert_eq!(Delimiter::parse("tab"), Ok(Delimiter::Character('\t')));
        assert_eq!(Delimiter::parse(";"), Ok(Delimiter::Character(';')));
        assert!(Delimiter::parse("ab").is_err());
        assert!(Delimiter::parse("\"").is_err());
    }
}
