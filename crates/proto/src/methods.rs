//! Which access each RPC needs, read off the contract. An RPC that states none is not in the table, hence refused.

mod access;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::{Aim, CallKind};

pub use access::Access;

/// An RPC of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcMethod {
    /// Full service name, such as `waymark.roadmap.v1.StrategyService`.
    pub service: String,
    /// Method name, such as `GetProduct`.
    pub method: String,
    /// The access it needs.
    pub access: Access,
    /// Whether callers who have an audience may call it.
    pub shown_to_audiences: bool,
    /// What kind of work it is.
    pub kind: CallKind,
    /// Where its requests say what they are for.
    pub aim: Aim,
}

static METHODS: LazyLock<BTreeMap<String, RpcMethod>> = LazyLock::new(|| {
    let pool = crate::descriptors();
    let option = |name: &str| pool.get_extension_by_name(&format!("waymark.common.v1.{name}"));
    let Some((option, shown)) = option("access").zip(option("shown_to_audiences")) else {
        return BTreeMap::new();
    };
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .filter_map(|method| {
            let access = match method.options().get_extension(&option).as_enum_number()? {
                1 => Access::Read,
                2 => Access::Write,
                3 => Access::Manage,
                4 => Access::Admin,
                5 => Access::Caller,
                _ => return None,
            };
            let shown_to_audiences = method.options().get_extension(&shown).as_bool().unwrap_or_default();
            let service = method.parent_service().full_name().to_owned();
            Some((
                format!("/{service}/{}", method.name()),
                RpcMethod {
                    service,
                    method: method.name().to_owned(),
                    access,
                    shown_to_audiences,
                    kind: CallKind::of(&method, access),
                    aim: Aim::of(&method.input()),
                },
            ))
        })
        .collect()
});

/// The RPC at an HTTP path such as `/waymark.roadmap.v1.StrategyService/GetProduct`; `None` for a path the contract
/// does not grant.
pub fn rpc_method(path: &str) -> Option<&'static RpcMethod> {
    METHODS.get(path)
}

/// Every RPC that states its access, in order of path.
pub fn rpc_methods() -> impl Iterator<Item = (&'static str, &'static RpcMethod)> {
    METHODS.iter().map(|(path, method)| (path.as_str(), method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_states_its_access() {
        let missing: Vec<String> = crate::descriptors()
            .services()
            .filter(|s| s.full_name().starts_with("waymark."))
            .flat_map(|s| s.methods().map(|m| format!("/{}/{}", s.full_name(), m.name())).collect::<Vec<_>>())
            .filter(|path| rpc_method(path).is_none())
            .collect();
        assert!(missing.is_empty(), "no access stated: {missing:?}");
    }

    #[test]
    fn audiences_are_shown_reads_alone() {
        let shown: Vec<_> = rpc_methods().filter(|(_, method)| method.shown_to_audiences).collect();
        assert!(shown.iter().all(|(_, method)| method.access == Access::Read), "{shown:?}");
        let packages: Vec<_> = shown.iter().map(|(path, _)| path.split('.').nth(1).unwrap()).collect();
        assert!(packages.contains(&"roadmap") && packages.contains(&"events"), "{packages:?}");
        assert!(packages.iter().all(|package| ["roadmap", "events"].contains(package)), "{packages:?}");
    }

    #[test]
    fn unknown_paths_have_no_access() {
        assert_eq!(rpc_method("/waymark.roadmap.v1.StrategyService/DropAll"), None);
    }
}
