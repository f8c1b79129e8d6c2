//! Roles: what principals may do; in every workspace alike, where the authentication file says it.
//!
//! Nobody has one who is not named, alone or by a group; of several that somebody has, the highest counts.

use std::collections::HashMap;

use crate::identity::Identity;
use crate::principal::Principal;

/// What a principal may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes resources.
    Contributor,
    /// Decides: commits, waives, closes.
    Manager,
    /// Runs the service: import, export, dead letters.
    Admin,
}

impl Role {
    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Contributor, Self::Manager, Self::Admin].into_iter().find(|role| role.name() == name)
    }

    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Contributor => "contributor",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }
}

/// Who has which role.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Roles(HashMap<Principal, Role>);

impl Roles {
    /// Gives a role to a principal or a group.
    pub(crate) fn give(&mut self, role: Role, member: Principal) {
        let highest = self.0.get(&member).map_or(role, |other| role.max(*other));
        self.0.insert(member, highest);
    }

    pub(crate) fn of(&self, identity: &Identity) -> Option<Role> {
        let all = std::iter::once(&identity.principal).chain(&identity.groups);
        all.filter_map(|principal| self.0.get(principal)).max().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_counts_and_nobody_has_one_by_chance() {
        let group = |name: &str| Principal::group("corp", name).unwrap();
        let mut roles = Roles::default();
        roles.give(Role::Viewer, group("all"));
        roles.give(Role::Manager, group("product"));
        roles.give(Role::Admin, Principal::user("corp", "ada").unwrap());
        roles.give(Role::Viewer, Principal::user("corp", "ada").unwrap());
        let of = |issuer: &str, user: &str, groups: &[&str]| {
            let principal = Principal::user(issuer, user).unwrap();
            let groups = groups.iter().map(|name| group(name)).collect();
            roles.of(&Identity { principal, issuer: None, groups, token_id: None, expires: None })
        };
        assert_eq!(of("corp", "bob", &["all", "product", "other"]), Some(Role::Manager));
        assert_eq!(of("corp", "ada", &[]), Some(Role::Admin), "a lower one takes nothing away");
        for nobody in [of("corp", "bob", &[]), of("other", "ada", &[]), of("corp", "all", &["ada"])] {
            assert_eq!(nobody, None);
        }
        assert!(Role::Viewer < Role::Contributor && Role::Contributor < Role::Manager && Role::Manager < Role::Admin);
        assert_eq!((Role::named("admin"), Role::named("Admin"), Role::named("")), (Some(Role::Admin), None, None));
    }
}
