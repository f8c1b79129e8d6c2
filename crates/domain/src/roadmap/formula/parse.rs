//! A formula's text, read by precedence (Pratt, 1973).

use std::iter::Peekable;
use std::str::CharIndices;

use super::steps::{Function, Op, Operator, SIGN, Step};

/// The longest formula, in characters.
pub const LENGTH_MOST: usize = 2_000;
/// How deep parentheses, functions, signs and powers may stand in one another.
pub const DEPTH_MOST: usize = 64;

/// Why a text is no formula: where, counted in characters from 1, and what should stand there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FormulaError {
    /// More characters than are read.
    #[error("must be at most {LENGTH_MOST} characters long, got {0}")]
    TooLong(usize),
    /// Too much in one another.
    #[error("at character {0}: is nested more than {DEPTH_MOST} deep: make a part of it a criterion of its own")]
    TooDeep(usize),
    /// Something else belongs there.
    #[error("at character {at}: expected {expected}, got {found}")]
    Unexpected {
        /// Where.
        at: usize,
        /// What could stand there, in words.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// No criterion has this key.
    #[error("at character {at}: {name:?} is no criterion: expected one of {known}")]
    UnknownCriterion {
        /// Where.
        at: usize,
        /// What stands there.
        name: String,
        /// The keys there are.
        known: String,
    },
    /// Called, and no function.
    #[error("at character {at}: {name:?} is no function: expected min, max, sqrt, log (natural) or abs")]
    UnknownFunction {
        /// Where.
        at: usize,
        /// What is called.
        name: String,
    },
    /// Called with more or fewer numbers than it takes.
    #[error("at character {at}: {function} takes {expected}, got {got}")]
    Arguments {
        /// Where.
        at: usize,
        /// Its name.
        function: &'static str,
        /// What it takes, in words.
        expected: &'static str,
        /// How many there are.
        got: usize,
    },
}

/// What a number may begin with.
const VALUE: &str = "a number, a criterion, a function or \"(\"";

/// The steps that a text says.
pub(super) fn steps(text: &str, keys: &[&str]) -> Result<Vec<Step>, FormulaError> {
    let length = text.chars().count();
    if length > LENGTH_MOST {
        return Err(FormulaError::TooLong(length));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, keys, steps: Vec::new(), depth: 0, end: length + 1 };
    if let [Token { what: What::Name(name), .. }, Token { what: What::Sign('='), .. }, ..] = parser.tokens.as_slice()
        && name.eq_ignore_ascii_case("score")
    {
        parser.next = 2;
    }
    parser.expression(0)?;
    match parser.peek() {
        None => Ok(parser.steps),
        Some(_) => Err(parser.unexpected("an operator (+ - * / ^) or the end")),
    }
}

struct Token {
    what: What,
    at: usize,
}

enum What {
    Number(f64),
    Name(String),
    /// An operator, a parenthesis, a comma, or what is none of them.
    Sign(char),
}

pub(super) fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

pub(super) fn continues_name(character: char) -> bool {
    begins_name(character) || character.is_ascii_digit()
}

fn tokens(text: &str) -> Result<Vec<Token>, FormulaError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    let mut at = 0;
    while let Some(&(start, character)) = rest.peek() {
        at += 1;
        let what = match character {
            _ if begins_name(character) => What::Name(taken(text, start, &mut rest, continues_name).to_owned()),
            '0'..='9' | '.' => number(text, start, at, &mut rest)?,
            _ => {
                rest.next();
                match character {
                    _ if character.is_whitespace() => continue,
                    '×' | '·' => What::Sign('*'),
                    '÷' => What::Sign('/'),
                    '−' => What::Sign('-'),
                    other => What::Sign(other),
                }
            }
        };
        let token = Token { what, at };
        // Names and numbers are of ASCII, so bytes are characters.
        let end = rest.peek().map_or(text.len(), |(end, _)| *end);
        at += text[start..end].chars().count() - 1;
        tokens.push(token);
    }
    Ok(tokens)
}

fn taken<'a>(
    text: &'a str,
    start: usize,
    rest: &mut Peekable<CharIndices<'_>>,
    goes_on: impl Fn(char) -> bool,
) -> &'a str {
    while rest.next_if(|(_, character)| goes_on(*character)).is_some() {}
    &text[start..rest.peek().map_or(text.len(), |(end, _)| *end)]
}

fn number(text: &str, start: usize, at: usize, rest: &mut Peekable<CharIndices<'_>>) -> Result<What, FormulaError> {
    let mut number = taken(text, start, rest, |character| character.is_ascii_digit() || character == '.');
    // A power of ten has digits, and before them perhaps a sign.
    let mut further = text[start + number.len()..].chars();
    if further.next().is_some_and(|e| e == 'e' || e == 'E') {
        let signed = further.clone().next().is_some_and(|sign| sign == '+' || sign == '-');
        if further.nth(usize::from(signed)).is_some_and(|digit| digit.is_ascii_digit()) {
            rest.by_ref().take(1 + usize::from(signed)).for_each(|_| ());
            number = taken(text, start, rest, |character| character.is_ascii_digit());
        }
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(What::Number(value)),
        Ok(_) | Err(_) => {
            Err(FormulaError::Unexpected { at, expected: "a number such as 0.5", found: format!("{number:?}") })
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    next: usize,
    keys: &'a [&'a str],
    steps: Vec<Step>,
    depth: usize,
    /// Behind the last character.
    end: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&What> {
        self.tokens.get(self.next).map(|token| &token.what)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |token| token.at)
    }

    fn unexpected(&self, expected: &'static str) -> FormulaError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(What::Number(number)) => number.to_string(),
            Some(What::Name(name)) => format!("{name:?}"),
            Some(What::Sign(sign)) => format!("{:?}", sign.to_string()),
        };
        FormulaError::Unexpected { at: self.at(), expected, found }
    }

    fn skip(&mut self, sign: char) -> bool {
        let there = matches!(self.peek(), Some(What::Sign(next)) if *next == sign);
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, sign: char, expected: &'static str) -> Result<(), FormulaError> {
        if self.skip(sign) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn step(&mut self, op: Op, at: usize) {
        self.steps.push(Step { op, at });
    }

    /// What is held together at least as strongly as `least`.
    fn expression(&mut self, least: u8) -> Result<(), FormulaError> {
        self.depth += 1;
        if self.depth > DEPTH_MOST {
            return Err(FormulaError::TooDeep(self.at()));
        }
        self.value()?;
        while let Some(operator) = self.operator().filter(|operator| operator.binds().0 >= least) {
            let at = self.at();
            self.next += 1;
            self.expression(operator.binds().1)?;
            self.step(Op::Binary(operator), at);
        }
        self.depth -= 1;
        Ok(())
    }

    fn operator(&self) -> Option<Operator> {
        let Some(What::Sign(sign)) = self.peek() else { return None };
        Some(match sign {
            '+' => Operator::Add,
            '-' => Operator::Subtract,
            '*' => Operator::Multiply,
            '/' => Operator::Divide,
            '^' => Operator::Power,
            _ => return None,
        })
    }

    fn value(&mut self) -> Result<(), FormulaError> {
        let at = self.at();
        match self.peek() {
            Some(What::Number(number)) => {
                let number = *number;
                self.next += 1;
                self.step(Op::Number(number), at);
                Ok(())
            }
            Some(What::Name(name)) => {
                let name = name.clone();
                self.next += 1;
                self.named(name, at)
            }
            Some(What::Sign('-')) => {
                self.next += 1;
                self.expression(SIGN)?;
                self.step(Op::Negate, at);
                Ok(())
            }
            Some(What::Sign('(')) => {
                self.next += 1;
                self.expression(0)?;
                self.expect(')', "an operator (+ - * / ^) or \")\"")
            }
            Some(What::Sign(_)) | None => Err(self.unexpected(VALUE)),
        }
    }

    fn named(&mut self, name: String, at: usize) -> Result<(), FormulaError> {
        if self.skip('(') {
            let Ok(function) = name.parse::<Function>() else {
                return Err(FormulaError::UnknownFunction { at, name });
            };
            let mut count = 0;
            while count == 0 || self.skip(',') {
                self.expression(0)?;
                count += 1;
            }
            self.expect(')', "an operator (+ - * / ^), \",\" or \")\"")?;
            let (right, expected) = match function {
                Function::Min | Function::Max => (count >= 2, "two numbers or more"),
                Function::Sqrt | Function::Log | Function::Abs => (count == 1, "one number"),
            };
            if !right {
                return Err(FormulaError::Arguments { at, function: function.into(), expected, got: count });
            }
            self.step(Op::Call(function, count), at);
            return Ok(());
        }
        if name.parse::<Function>().is_ok() {
            return Err(self.unexpected("\"(\" after the name of a function"));
        }
        match self.keys.iter().position(|key| *key == name) {
            Some(index) => {
                self.step(Op::Criterion(index), at);
                Ok(())
            }
            None => Err(FormulaError::UnknownCriterion { at, name, known: self.keys.join(", ") }),
        }
    }
}
