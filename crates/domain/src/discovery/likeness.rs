//! Which of some names read alike, in any script and however they are written. Never what they mean.
//!
//! Names are compared without their case, the composition and width of their characters, by the trigrams of their words
//! in common as a share of all trigrams of both (Jaccard, 1901). Not all pairs are looked at: two names of which at least
//! a share is in common have one of their rarest trigrams in common (prefix filtering: Chaudhuri, Ganti and Kaushik,
//! 2006), and those are looked up.

use std::collections::{BTreeSet, HashMap};

use unicode_normalization::UnicodeNormalization as _;

/// Share of trigrams in common from which two names are held for the same.
const ALIKE: f64 = 0.5;
/// Names that one is said to be like, at most.
const TOLD: usize = 10;
/// Names that one is compared with, at most; the same name is found without.
const COMPARED: usize = 200;

/// For each name, by its place, the places of those behind it that read alike, the nearest 10 at most.
pub(super) fn alike(names: &[&str]) -> Vec<BTreeSet<usize>> {
    let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let trigrams = by_rarity(plain.iter().map(|name| trigrams(name)).collect());
    let mut same: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut holders: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut alike = vec![BTreeSet::new(); names.len()];
    // From the end, so that what is found is behind, the nearest last.
    for (place, (name, of_name)) in plain.iter().zip(&trigrams).enumerate().rev() {
        let same = same.entry(name.as_str()).or_default();
        alike[place].extend(same.iter().rev().take(TOLD));
        same.push(place);
        let rarest = rarest(of_name);
        let candidates =
            rarest.iter().filter_map(|trigram| holders.get(trigram)).flat_map(|places| places.iter().rev());
        for candidate in candidates.take(COMPARED).copied().collect::<BTreeSet<usize>>() {
            if alike[place].len() < TOLD && in_common(of_name, &trigrams[candidate]) >= ALIKE {
                alike[place].insert(candidate);
            }
        }
        for trigram in rarest {
            holders.entry(*trigram).or_default().push(place);
        }
    }
    alike
}

/// A name without what only looks different: compatible forms are one, letters are small, words are parted by a blank.
fn plain(name: &str) -> String {
    // By way of capitals, since some letters have more than one small form.
    let folded: String = name.nfkc().collect::<String>().to_uppercase().to_lowercase().nfkc().collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The trigrams of the words, which have two blanks before and one behind, so that beginnings count most (as in
/// PostgreSQL's pg_trgm). A word of one letter has some, too.
fn trigrams(plain: &str) -> BTreeSet<[char; 3]> {
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let of_word = |word: &str| {
        let letters: Vec<char> = "  ".chars().chain(word.chars()).chain([' ']).collect();
        letters.windows(3).filter_map(|three| three.try_into().ok()).collect::<Vec<[char; 3]>>()
    };
    words.flat_map(of_word).collect()
}

/// Trigrams by numbers, of which the least is the one that the fewest names have; in order.
fn by_rarity(names: Vec<BTreeSet<[char; 3]>>) -> Vec<Vec<usize>> {
    let mut counts: HashMap<[char; 3], usize> = HashMap::new();
    for trigram in names.iter().flatten() {
        *counts.entry(*trigram).or_default() += 1;
    }
    let mut ordered: Vec<_> = counts.into_iter().map(|(trigram, count)| (count, trigram)).collect();
    ordered.sort_unstable();
    let numbers: HashMap<_, _> =
        ordered.into_iter().enumerate().map(|(number, (_, trigram))| (trigram, number)).collect();
    let numbered = |name: BTreeSet<[char; 3]>| {
        let mut name: Vec<usize> = name.iter().filter_map(|trigram| numbers.get(trigram).copied()).collect();
        name.sort_unstable();
        name
    };
    names.into_iter().map(numbered).collect()
}

/// Those of a name's trigrams of which every name that is alike has one, too.
fn rarest(trigrams: &[usize]) -> &[usize] {
    let needed = (trigrams.len() as f64 * ALIKE).ceil() as usize;
    trigrams.get(..=trigrams.len() - needed).unwrap_or(trigrams)
}

/// What two ordered lists have in common as a share of all that is in them.
fn in_common(a: &[usize], b: &[usize]) -> f64 {
    let common = a.iter().filter(|number| b.binary_search(number).is_ok()).count();
    common as f64 / (a.len() + b.len() - common).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn are_alike(a: &str, b: &str) -> bool {
        alike(&[a, b])[0].contains(&1)
    }

    #[test]
    fn the_same_name_is_the_same_however_it_is_written() {
        for (a, b) in [
            ("Pay by app", "Pay by app"),
            ("Pay by app", "  pay BY  App!"),
            ("Men\u{fc} \u{e9}t\u{e9}", "Menu\u{308} e\u{301}te\u{301}"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{ff30}\u{ff41}\u{ff59}", "Pay"),
            ("X", "x"),
            ("\u{652f}\u{4ed8}", "\u{652f}\u{4ed8}"),
            ("!?", "!?"),
        ] {
            assert!(are_alike(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn names_that_differ_a_little_are_alike_and_others_are_not() {
        for (a, b) in [
            ("App", "Apps"),
            ("Checkout takes too long", "Checkout takes to long"),
            ("Too long the checkout takes", "Checkout takes too long"),
            ("\u{652f}\u{4ed8}\u{5e94}\u{7528}", "\u{652f}\u{4ed8}\u{5e94}\u{7528}\u{7a0b}\u{5e8f}"),
        ] {
            assert!(are_alike(a, b), "{a:?} {b:?}");
        }
        for (a, b) in [
            ("Pay by app", "Invite a teammate"),
            ("Pay by app", "Pay by card"),
            ("A", "B"),
            ("\u{652f}\u{4ed8}", "\u{767b}\u{5f55}"),
            ("!", "?"),
        ] {
            assert!(!are_alike(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn many_of_the_same_name_are_told_of_the_nearest() {
        let found = alike(&vec!["Pay by app"; 2_000]);
        assert_eq!(found[7], (8..18).collect());
        assert_eq!((found[1_998].len(), found[1_999].len()), (1, 0));
    }

    proptest! {
        /// Looking only at names that share a rare trigram misses none.
        #[test]
        fn all_pairs_are_found(names in prop::collection::vec("[a-d ]{0,12}", 0..12)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let found = alike(&names);
            let all: Vec<_> = names.iter().map(|name| trigrams(&plain(name))).collect();
            for (i, j) in (0..names.len()).flat_map(|i| (i + 1..names.len()).map(move |j| (i, j))) {
                let common = all[i].intersection(&all[j]).count();
                let share = common as f64 / all[i].union(&all[j]).count().max(1) as f64;
                let expected = share >= ALIKE || plain(names[i]) == plain(names[j]);
                // Eleven are behind the first at most.
                prop_assert!(found[i].contains(&j) == expected || found[i].len() == TOLD, "{:?} {:?}", names[i], names[j]);
            }
        }
    }
}
