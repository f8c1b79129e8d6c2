//! What a request's path means: an RPC of the contract, one that is open to all, or nothing this server knows.
//!
//! Metric labels and span names come from here, never from the path, so that hostile paths cannot make new ones.

use waymark_proto::RpcMethod;

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// An RPC of the contract, with the access it needs.
    Rpc(&'static RpcMethod),
    /// An RPC of the contract that states no access: denied.
    NoRule,
    /// Health or reflection: open to all, and not limited, so that probes work under load. Service and method.
    Open(&'static str, &'static str),
    /// Not a method of the contract.
    Unknown,
}

const OPEN: [(&str, &str); 5] = [
    ("grpc.health.v1.Health", "Check"),
    ("grpc.health.v1.Health", "List"),
    ("grpc.health.v1.Health", "Watch"),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"),
    ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"),
];

impl Route {
    /// Looks `path` up in the contract.
    pub fn of(path: &str) -> Self {
        if let Some(method) = waymark_proto::rpc_method(path) {
            return Self::Rpc(method);
        }
        let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return Self::Unknown;
        };
        if let Some((service, method)) = OPEN.iter().find(|open| **open == (service, method)) {
            return Self::Open(service, method);
        }
        let declared = waymark_proto::descriptors().get_service_by_name(service);
        if declared.is_some_and(|service| service.methods().any(|m| m.name() == method)) {
            Self::NoRule
        } else {
            Self::Unknown
        }
    }

    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Rpc(rpc) => (&rpc.service, &rpc.method),
            Self::Open(service, method) => (service, method),
            Self::NoRule | Self::Unknown => ("other", "other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_methods_are_exactly_the_listed_ones() {
        assert_eq!(Route::of("/grpc.health.v1.Health/Check"), Route::Open("grpc.health.v1.Health", "Check"));
        for path in [
            "",
            "/",
            "/grpc.health.v1.Health",
            "/grpc.health.v1.Health/check",
            "/grpc.health.v1.Health/Check/",
            "//Check",
        ] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
            assert_eq!(Route::of(path).names(), ("other", "other"));
        }
    }
}
