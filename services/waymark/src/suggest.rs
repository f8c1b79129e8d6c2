//! What was meant by a command that there is not. clap knows words that are spelt alike; here also words of one stem, and
//! commands that stand elsewhere. And how a text that begins as a flag does is given to one.

use std::collections::BTreeSet;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use waymark_domain::text::nearest;

/// Suggestions for one mistake.
const MOST: usize = 4;
/// Letters that words of one stem begin with: `depend` and `dependency`.
const STEM: usize = 4;

/// A refusal of the command line, with what was meant where a command or a flag is unknown.
pub fn explained(mut error: clap::Error, command: &Command, line: impl Iterator<Item = String>) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument {
        if let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg)
            && let Some(tip) = as_value(unknown, &line.collect::<Vec<_>>())
        {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
        }
        return error;
    }
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let meant = meant(command, word, &line.skip(1).collect::<Vec<_>>());
    if !meant.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(meant));
    }
    error
}

/// How a text such as `-10 %` is given to the flag before it, where one dash makes it a flag that there is not.
fn as_value(unknown: &str, line: &[String]) -> Option<String> {
    let is_value = |text: &str| unknown.starts_with('-') && !text.starts_with("--") && text.starts_with(unknown);
    let [flag, value] = line.windows(2).find_map(|pair| {
        let [flag, value] = pair else { return None };
        (flag.starts_with("--") && !flag.contains('=') && is_value(value)).then_some([flag, value])
    })?;
    let value = if value.contains(char::is_whitespace) { format!("'{value}'") } else { value.clone() };
    Some(format!("a value that begins with a dash needs an equals sign: {flag}={value}"))
}

/// The commands that may be meant by the first unknown word of a line, from the top, the likeliest first.
fn meant(top: &Command, word: &str, line: &[String]) -> Vec<String> {
    let (mut at, mut path, mut rest) = (top, Vec::new(), line.iter());
    for given in rest.by_ref() {
        if given == word {
            break;
        }
        if let Some(below) = at.find_subcommand(given) {
            (at, path) = (below, [path, vec![below.get_name()]].concat());
        }
    }
    let here: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
    let own = |name: &str| [&path[..], &[name]].concat().join(" ");
    let mut found: Vec<String> = Vec::new();
    // `delete products` is `products delete`: what follows says of what.
    for of in rest.filter_map(|given| top.get_subcommands().find(|command| is_called(command.get_name(), given))) {
        let below = of.get_subcommands().filter(|verb| verb.get_name() == word);
        found.extend(below.map(|verb| format!("{} {}", of.get_name(), verb.get_name())));
    }
    found.extend(here.iter().filter(|name| is_called(name, word)).map(|name| own(name)));
    found.extend(here.iter().filter(|name| has_stem(name, word)).map(|name| own(name)));
    found.extend(nearest(word, here.iter().copied()).map(own));
    if found.is_empty() {
        let all = top.get_subcommands().flat_map(|of| of.get_subcommands().map(move |verb| (of, verb)));
        let called = all.filter(|(_, verb)| verb.get_name() == word);
        found.extend(called.map(|(of, verb)| format!("{} {}", of.get_name(), verb.get_name())));
    }
    let mut seen = BTreeSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found.truncate(MOST);
    found
}

/// Whether a word is a name in the singular or the plural.
fn is_called(name: &str, word: &str) -> bool {
    let one = |word: &str| match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix('s').unwrap_or(word).to_owned(),
    };
    one(name) == one(&word.to_ascii_lowercase().replace('_', "-"))
}

/// Whether one of the words of a name begins as this word does.
fn has_stem(name: &str, word: &str) -> bool {
    let common = |part: &str| part.chars().zip(word.chars()).take_while(|(left, right)| left == right).count();
    name.split('-').any(|part| common(part) >= STEM && common(part) + 1 >= part.len().min(word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::command;

    fn suggested(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = command().try_get_matches_from(&words).unwrap_err();
        match explained(error, &command(), words.into_iter()).get(ContextKind::SuggestedSubcommand) {
            Some(ContextValue::Strings(names)) => names.clone(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_was_meant_is_named() {
        for (line, meant) in [
            ("waymark initiatives depend", &["initiatives add-dependency", "initiatives remove-dependency"][..]),
            ("waymark delete products x", &["products delete"]),
            ("waymark list product", &["products list"]),
            ("waymark opportunity list", &["opportunities"]),
            ("waymark -w acme product list", &["products", "product-events"]),
            ("waymark metric breach", &["metrics"]),
            ("waymark ship", &["initiatives ship"]),
            ("waymark initiatives shp x", &["initiatives ship"]),
            ("waymark initiatives startt x", &["initiatives start"]),
        ] {
            assert_eq!(suggested(line), meant, "{line}");
        }
    }

    #[test]
    fn a_value_with_a_dash_is_told_how_to_be_given() {
        let tip = |line: &[&str]| {
            let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
            let error = command().try_get_matches_from(&words).unwrap_err();
            explained(error, &command(), words.into_iter()).to_string()
        };
        let given = tip(&["waymark", "products", "update", "app", "--vision", "-10 % churn"]);
        assert!(given.contains("needs an equals sign: --vision='-10 % churn'") && !given.contains("-- -1"), "{given}");
        assert!(tip(&["waymark", "products", "update", "app", "--vision", "-x"]).contains("--vision=-x"));
        assert!(!tip(&["waymark", "products", "update", "-x", "app"]).contains("equals sign"));
    }

    #[test]
    fn one_thing_has_one_name() {
        let command = command();
        let names = command.get_subcommands().map(Command::get_name);
        // To import is what one does, imports are what was done.
        let names: Vec<&str> = names.filter(|name| *name != "import").collect();
        for name in &names {
            let same: Vec<_> = names.iter().filter(|other| is_called(other, name)).collect();
            assert_eq!(same, [name], "of these only one can be the name of it");
        }
    }
}
