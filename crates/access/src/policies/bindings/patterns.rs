//! What stands for workspaces in a bindings file, such as `team-*`, by what it begins and ends with: which stand for a
//! workspace is looked up, so it costs by the length of an id, however many there are.

use std::collections::HashMap;

use crate::like::Like;

/// All of a file, each once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    all: Vec<Like>,
    /// Places in the list, by what stands before the `*`, and by what stands behind it.
    by_ends: HashMap<String, HashMap<String, usize>>,
    /// Bytes of the longest that stands before a `*`, and of the longest behind one: no more of a name is looked up, as
    /// who asks may name what is longer than any id.
    longest: (usize, usize),
}

impl Patterns {
    /// The place of a pattern, which is the same whenever it comes.
    pub(super) fn add(&mut self, like: Like) -> usize {
        let (before, after) = like.ends();
        self.longest = (self.longest.0.max(before.len()), self.longest.1.max(after.len()));
        let next = self.all.len();
        let at = *self.by_ends.entry(before.to_owned()).or_default().entry(after.to_owned()).or_insert(next);
        if at == next {
            self.all.push(like);
        }
        at
    }

    /// The places of those that stand for a name.
    pub(super) fn covering(&self, name: &str) -> Vec<usize> {
        let mut covering = Vec::new();
        for end in 0..=self.longest.0.min(name.len()) {
            let Some((before, rest)) = name.split_at_checked(end) else { continue };
            let Some(by_after) = self.by_ends.get(before) else { continue };
            for length in 0..=self.longest.1.min(rest.len()) {
                let Some((_, after)) = rest.split_at_checked(rest.len() - length) else { continue };
                covering.extend(by_after.get(after));
            }
        }
        covering
    }

    /// A pattern as it was written.
    pub(super) fn text(&self, at: usize) -> String {
        self.all[at].text()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::like::covers;

    proptest! {
        #[test]
        fn those_are_found_that_cover_a_name(
            texts in prop::collection::vec("[ab]{0,3}\\*[ab]{0,3}", 0..12), name in "[abé]{0,6}"
        ) {
            let mut patterns = Patterns::default();
            let mut expected = Vec::new();
            for text in &texts {
                let at = patterns.add(Like::parse(text).unwrap());
                prop_assert_eq!(&patterns.text(at), text);
                if covers(text, &name) && !expected.contains(&at) {
                    expected.push(at);
                }
            }
            let mut found = patterns.covering(&name);
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
