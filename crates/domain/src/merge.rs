//! Three-way merges: what two sides made of one base, put together. A side that left something as it was has no say in it.

use std::collections::BTreeMap;

/// A side of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What branched off.
    Branch,
    /// What it is merged into.
    Trunk,
}

impl Side {
    /// The value of this side.
    pub fn of<V>(self, branch: V, trunk: V) -> V {
        match self {
            Self::Branch => branch,
            Self::Trunk => trunk,
        }
    }
}

/// Whose value is taken, that of the trunk where both say the same; `None` where both changed it to different ones.
pub fn choose<V: PartialEq + ?Sized>(base: &V, branch: &V, trunk: &V) -> Option<Side> {
    if branch == base || branch == trunk {
        Some(Side::Trunk)
    } else if trunk == base {
        Some(Side::Branch)
    } else {
        None
    }
}

/// Entries that are told apart by keys, each chosen by itself: in the order of the trunk, those that only the branch has
/// behind. `None` where the sides contradict each other about one, or one of the three has a key twice.
pub fn entries<K: Ord + Clone, V: PartialEq + Clone>(
    base: &[(K, V)],
    branch: &[(K, V)],
    trunk: &[(K, V)],
) -> Option<Vec<(K, V)>> {
    let [base, of_branch, of_trunk] = [by_key(base)?, by_key(branch)?, by_key(trunk)?];
    let new = branch.iter().filter(|(key, _)| !of_trunk.contains_key(key));
    let mut merged = Vec::with_capacity(trunk.len());
    for (key, _) in trunk.iter().chain(new) {
        let [base, branch, trunk] = [&base, &of_branch, &of_trunk].map(|of| of.get(key).copied());
        merged.extend(choose(&base, &branch, &trunk)?.of(branch, trunk).map(|value| (key.clone(), value.clone())));
    }
    Some(merged)
}

fn by_key<K: Ord, V>(entries: &[(K, V)]) -> Option<BTreeMap<&K, &V>> {
    let keyed: BTreeMap<_, _> = entries.iter().map(|(key, value)| (key, value)).collect();
    (keyed.len() == entries.len()).then_some(keyed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Entries = Vec<(u8, u8)>;

    fn some() -> impl Strategy<Value = Entries> {
        prop::collection::btree_map(0..6_u8, 0..3_u8, 0..6).prop_map(|map| map.into_iter().collect())
    }

    fn sorted(entries: Option<Entries>) -> Option<Entries> {
        entries.map(|mut entries| {
            entries.sort_unstable();
            entries
        })
    }

    proptest! {
        #[test]
        fn what_a_branch_left_alone_stays_as_the_trunk_has_it(base in some(), trunk in some()) {
            prop_assert_eq!(entries(&base, &base, &trunk), Some(trunk));
        }

        #[test]
        fn what_only_the_branch_changed_becomes_what_it_has(base in some(), branch in some()) {
            prop_assert_eq!(sorted(entries(&base, &branch, &base)), Some(branch));
        }

        #[test]
        fn it_does_not_matter_which_side_is_which(base in some(), one in some(), other in some()) {
            prop_assert_eq!(sorted(entries(&base, &one, &other)), sorted(entries(&base, &other, &one)));
        }

        #[test]
        fn merging_again_changes_nothing(base in some(), branch in some(), trunk in some()) {
            if let Some(merged) = entries(&base, &branch, &trunk) {
                prop_assert_eq!(entries(&base, &branch, &merged), Some(merged));
            }
        }
    }

    #[test]
    fn a_contradiction_is_told() {
        assert_eq!(choose(&1, &2, &3), None);
        assert_eq!(choose(&1, &2, &2), Some(Side::Trunk));
        assert_eq!(entries(&[(1, 1)], &[(1, 2)], &[(1, 3), (2, 0)]), None);
        assert_eq!(entries(&[(1, 1)], &[], &[(1, 3)]), None, "one side removed what the other changed");
        assert_eq!(entries(&[], &[(1, 1), (1, 2)], &[(2, 1)]), None, "a key that is there twice tells nothing apart");
    }
}
