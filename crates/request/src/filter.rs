//! Filters: a subset of AIP-160. `state = PROPOSED AND (owner = "ada" OR NOT labels:x)`.
//!
//! ```text
//! filter     = disjunction (AND disjunction)* | empty        AND may be left out: "a = 1 b = 2"
//! disjunction= term (OR term)*                               OR binds tighter than AND, as AIP-160 has it
//! term       = (NOT | "-") term | "(" filter ")" | field op value
//! field      = bare word | bare word that ends with "." and, next to it, "quoted" or 'quoted'
//! op         = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"     ":" means: has, or of a text: contains
//! value      = "quoted" | 'quoted' | bare word or number
//! ```
//!
//! ```
//! use waymark_request::filter::Filter;
//!
//! // OR binds tighter than AND: proposed, and owned by one of the two.
//! let filter = Filter::parse(r#"state = PROPOSED AND owner = "ada" OR owner = "bob""#)?;
//! let Filter::All(parts) = filter else { panic!("two that must hold") };
//! assert!(matches!(&parts[..], [Filter::Compare(_), Filter::Any(owners)] if owners.len() == 2));
//!
//! // A refusal says what is wrong and where, in bytes.
//! let refused = Filter::parse("state =").unwrap_err();
//! assert_eq!(refused.position, 7);
//! # Ok::<(), waymark_request::filter::FilterError>(())
//! ```
//!
//! Limits: 4,096 bytes, 32 levels, 64 comparisons. Parsing never panics and takes time linear in the text.

use std::ops::Range;

use waymark_domain::{Failure, FailureKind, Reason, Violation};

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All must hold; empty holds always.
    All(Vec<Filter>),
    /// One must hold.
    Any(Vec<Filter>),
    /// Must not hold.
    Not(Box<Filter>),
    /// A comparison of a field with a value.
    Compare(Comparison),
}

/// `field operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The field, without quotes.
    pub field: String,
    /// The operator.
    pub operator: Operator,
    /// The value, without quotes.
    pub value: String,
    /// Where the field stands in the filter, in bytes.
    pub position: usize,
    /// Where the value stands in the filter, with its quotes, in bytes.
    pub value_at: Range<usize>,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// Why a filter is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter: {problem} at byte {position}")]
pub struct FilterError {
    /// What is wrong.
    pub problem: String,
    /// Byte offset in the filter.
    pub position: usize,
}

impl Failure for FilterError {
    fn kind(&self) -> FailureKind {
        FailureKind::Invalid
    }
    fn reason(&self) -> Reason {
        Reason::InvalidFilter
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("position", self.position.to_string())]
    }
    fn violations(&self) -> Vec<Violation> {
        vec![Violation { field: "filter".into(), description: format!("{} at byte {}", self.problem, self.position) }]
    }
}

const MAX_BYTES: usize = 4_096;
const MAX_DEPTH: usize = 32;
const MAX_COMPARISONS: usize = 64;

impl Filter {
    /// Parses a filter; the empty text is the filter that always holds.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_BYTES {
            return Err(FilterError { problem: format!("longer than {MAX_BYTES} bytes"), position: MAX_BYTES });
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, next: 0, end: text.len(), comparisons: 0 };
        let filter = if tokens.is_empty() { Self::All(Vec::new()) } else { parser.conjunction(0)? };
        match parser.peek() {
            None => Ok(filter),
            Some(token) => {
                Err(FilterError { problem: format!("unexpected {}", token.kind.text()), position: token.position })
            }
        }
    }

    /// Every comparison in it.
    pub fn comparisons_mut(&mut self) -> Vec<&mut Comparison> {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter_mut().flat_map(Self::comparisons_mut).collect(),
            Self::Not(inner) => inner.comparisons_mut(),
            Self::Compare(comparison) => vec![comparison],
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word(String),
    Quoted(String),
    Operator(Operator),
    Minus,
    Open,
    Close,
}

impl Kind {
    fn text(&self) -> String {
        match self {
            Self::Word(word) | Self::Quoted(word) => format!("{word:?}"),
            Self::Operator(_) => "an operator".into(),
            Self::Minus => "\"-\"".into(),
            Self::Open => "\"(\"".into(),
            Self::Close => "\")\"".into(),
        }
    }
}

struct Token {
    kind: Kind,
    /// Where it begins, in bytes, and where it ends.
    position: usize,
    end: usize,
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((position, c)) = chars.next() {
        let mut followed_by_equals = || chars.next_if(|(_, c)| *c == '=').is_some();
        let kind = match c {
            c if c.is_whitespace() => continue,
            '(' => Kind::Open,
            ')' => Kind::Close,
            '=' => Kind::Operator(Operator::Equal),
            ':' => Kind::Operator(Operator::Contains),
            '<' => Kind::Operator(if followed_by_equals() { Operator::LessOrEqual } else { Operator::Less }),
            '>' => Kind::Operator(if followed_by_equals() { Operator::GreaterOrEqual } else { Operator::Greater }),
            '!' if followed_by_equals() => Kind::Operator(Operator::NotEqual),
            '"' | '\'' => {
                let mut value = String::new();
                loop {
                    match chars.next() {
                        None => {
                            return Err(FilterError { problem: "a quoted value that is not closed".into(), position });
                        }
                        Some((_, end)) if end == c => break,
                        Some((_, '\\')) => match chars.next() {
                            Some((_, escaped)) => value.push(escaped),
                            None => {
                                return Err(FilterError {
                                    problem: "a quoted value that is not closed".into(),
                                    position,
                                });
                            }
                        },
                        Some((_, other)) => value.push(other),
                    }
                }
                Kind::Quoted(value)
            }
            '-' if !matches!(tokens.last(), Some(Token { kind: Kind::Operator(_), .. })) => Kind::Minus,
            c if is_word(c) => {
                let mut word = String::from(c);
                let after_operator = matches!(tokens.last(), Some(Token { kind: Kind::Operator(_), .. }));
                // A bare value may be a time such as 2026-01-01T00:00:00Z; a field may not hold a colon, which is an
                // operator.
                while let Some((_, c)) = chars.next_if(|(_, c)| is_word(*c) || (after_operator && *c == ':')) {
                    word.push(c);
                }
                Kind::Word(word)
            }
            other => return Err(FilterError { problem: format!("unexpected character {other:?}"), position }),
        };
        let end = chars.peek().map_or(text.len(), |(end, _)| *end);
        tokens.push(Token { kind, position, end });
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '+' | '*' | '@')
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    end: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn error<T>(&self, problem: impl Into<String>) -> Result<T, FilterError> {
        let position = self.peek().map_or(self.end, |t| t.position);
        Err(FilterError { problem: problem.into(), position })
    }

    fn word(&self) -> Option<&'a str> {
        match self.peek() {
            Some(Token { kind: Kind::Word(word), .. }) => Some(word),
            _ => None,
        }
    }

    fn conjunction(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut terms = vec![self.disjunction(depth)?];
        loop {
            match self.peek() {
                None | Some(Token { kind: Kind::Close, .. }) => break,
                Some(_) => {
                    if self.word() == Some("AND") {
                        self.next += 1;
                    }
                    terms.push(self.disjunction(depth)?);
                }
            }
        }
        Ok(single_or(terms, Filter::All))
    }

    fn disjunction(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut terms = vec![self.term(depth)?];
        while self.word() == Some("OR") {
            self.next += 1;
            terms.push(self.term(depth)?);
        }
        Ok(single_or(terms, Filter::Any))
    }

    fn term(&mut self, depth: usize) -> Result<Filter, FilterError> {
        if depth >= MAX_DEPTH {
            return self.error(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match self.peek().map(|t| &t.kind) {
            Some(Kind::Minus) => {
                self.next += 1;
                Ok(Filter::Not(Box::new(self.term(depth + 1)?)))
            }
            Some(Kind::Word(word)) if word == "NOT" => {
                self.next += 1;
                Ok(Filter::Not(Box::new(self.term(depth + 1)?)))
            }
            Some(Kind::Open) => {
                self.next += 1;
                let inner = self.conjunction(depth + 1)?;
                match self.peek().map(|t| &t.kind) {
                    Some(Kind::Close) => {
                        self.next += 1;
                        Ok(inner)
                    }
                    _ => self.error("expected \")\""),
                }
            }
            Some(Kind::Word(word)) if word != "AND" && word != "OR" => self.comparison(),
            _ => self.error("expected a field, NOT or \"(\""),
        }
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            return self.error(format!("more than {MAX_COMPARISONS} comparisons"));
        }
        let (Some(field), Some(Token { position, end, .. })) = (self.word(), self.take()) else {
            return self.error("expected a field");
        };
        let mut field = field.to_owned();
        // The last part may hold anything, such as the key of a label.
        if let Some(Token { kind: Kind::Quoted(part), position, .. }) = self.peek()
            && field.ends_with('.')
            && position == end
        {
            field.push_str(part);
            self.next += 1;
        }
        let operator = match self.peek().map(|t| &t.kind) {
            Some(Kind::Operator(operator)) => *operator,
            _ => return self.error("expected one of = != < <= > >= :"),
        };
        self.next += 1;
        let Some(Token { kind: Kind::Word(value) | Kind::Quoted(value), position: start, end }) = self.peek() else {
            return self.error("expected a value");
        };
        self.next += 1;
        let (value, position, value_at) = (value.clone(), *position, *start..*end);
        Ok(Filter::Compare(Comparison { field, operator, value, position, value_at }))
    }
}

fn single_or(mut terms: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => {
            terms.extend(last);
            many(terms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(field: &str, operator: Operator, value: &str, [position, start, end]: [usize; 3]) -> Filter {
        let (field, value, value_at) = (field.into(), value.into(), start..end);
        Filter::Compare(Comparison { field, operator, value, position, value_at })
    }

    #[test]
    fn or_binds_tighter_than_and() {
        let a = compare("a", Operator::Equal, "1", [0, 4, 5]);
        let b = compare("b", Operator::Greater, "2", [10, 14, 15]);
        let c = compare("c", Operator::Contains, "x y", [19, 21, 26]);
        assert_eq!(
            Filter::parse(r#"a = 1 AND b > 2 OR c:"x y""#).unwrap(),
            Filter::All(vec![a, Filter::Any(vec![b, c])])
        );
    }

    #[test]
    fn values_may_be_times_and_negative_numbers() {
        assert_eq!(
            Filter::parse("t>=2026-01-01T00:00:00Z").unwrap(),
            compare("t", Operator::GreaterOrEqual, "2026-01-01T00:00:00Z", [0, 3, 23])
        );
        assert_eq!(Filter::parse("n = -3").unwrap(), compare("n", Operator::Equal, "-3", [0, 4, 6]));
        assert_eq!(
            Filter::parse("-n = 3").unwrap(),
            Filter::Not(Box::new(compare("n", Operator::Equal, "3", [1, 5, 6])))
        );
    }

    #[test]
    fn the_last_part_of_a_field_may_be_quoted() {
        let a = |value_at| compare(r#"labels.a "b".c"#, Operator::Equal, "x", value_at);
        assert_eq!(Filter::parse(r#"labels."a \"b\".c" = x"#).unwrap(), a([0, 21, 22]));
        assert_eq!(Filter::parse(r#"labels.'a "b".c'=x"#).unwrap(), a([0, 17, 18]));
        let labels = compare("labels.a.b", Operator::Contains, "*", [0, 11, 12]);
        assert_eq!(Filter::parse("labels.a.b:*").unwrap(), labels);
        assert_eq!(Filter::parse(r#"labels. "a" = x"#).unwrap_err().position, 8, "a space ends a field");
        assert_eq!(Filter::parse(r#"labels"a" = x"#).unwrap_err().position, 6);
    }

    #[test]
    fn mistakes_are_located() {
        let position = |text: &str| Filter::parse(text).unwrap_err().position;
        assert_eq!(position("state ="), 7);
        assert_eq!(position("state = 'x"), 8);
        assert_eq!(position("(a = 1"), 6);
        assert_eq!(position("a = 1)"), 5);
        assert!(Filter::parse(&"(".repeat(4_000)).unwrap_err().problem.contains("levels"));
        assert!(Filter::parse(&"a=1 ".repeat(65)).unwrap_err().problem.contains("comparisons"));
        assert!(Filter::parse(&"a".repeat(5_000)).unwrap_err().problem.contains("bytes"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,200}") {
            let _ = Filter::parse(&text);
        }
        #[test]
        fn parsing_words_of_the_grammar_never_panics(words in proptest::collection::vec(
            prop_oneof![Just("("), Just(")"), Just("AND"), Just("OR"), Just("NOT"), Just("-"), Just("a"), Just("="), Just("'x'"), Just("!="), Just(":")], 0..60)) {
            let _ = Filter::parse(&words.join(" "));
        }
    }
}
