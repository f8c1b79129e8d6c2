//! What may be done with a call, read off the contract: whether it may be repeated and whether it takes a request id.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::MethodDescriptor;
use waymark_proto::{Access, descriptors, rpc_method};

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// One request, one answer.
    Unary {
        /// A repeat does no harm: the method reads, or the contract declares it idempotent.
        idempotent: bool,
        /// Number of the request's `request_id` field: with it set, a repeat gets the first answer.
        request_id: Option<u32>,
    },
    /// A stream either way, or a method that is not of this contract: passed on once, without a default deadline.
    Other,
}

static PLANS: LazyLock<HashMap<String, Plan>> = LazyLock::new(|| {
    let services = descriptors().services();
    services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let plan = plan(&method, &path);
            (path, plan)
        })
        .collect()
});

fn plan(method: &MethodDescriptor, path: &str) -> Plan {
    if method.is_client_streaming() || method.is_server_streaming() {
        return Plan::Other;
    }
    // google.protobuf.MethodOptions.idempotency_level: NO_SIDE_EFFECTS and IDEMPOTENT both allow a repeat.
    let declared = method
        .options()
        .get_field_by_name("idempotency_level")
        .and_then(|level| level.as_enum_number())
        .unwrap_or_default();
    let reads = rpc_method(path).is_some_and(|method| matches!(method.access, Access::Read | Access::Caller));
    Plan::Unary {
        idempotent: reads || declared > 0,
        request_id: method.input().get_field_by_name("request_id").map(|field| field.number()),
    }
}

/// The plan of the method at an HTTP path.
pub(crate) fn of(path: &str) -> Plan {
    PLANS.get(path).copied().unwrap_or(Plan::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_follow_the_contract() {
        let get = of("/waymark.roadmap.v1.StrategyService/GetProduct");
        assert_eq!(get, Plan::Unary { idempotent: true, request_id: None });
        let create = of("/waymark.roadmap.v1.StrategyService/CreateProduct");
        assert_eq!(create, Plan::Unary { idempotent: false, request_id: Some(4) });
        assert_eq!(of("/waymark.events.v1.EventsService/WatchEvents"), Plan::Other);
        assert_eq!(of("/grpc.health.v1.Health/Check"), Plan::Other);
    }
}
