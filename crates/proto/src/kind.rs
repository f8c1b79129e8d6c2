//! What kind of work an RPC is, which tells about how much it takes: read off its shape, so that each RPC is limited from its
//! first day.

use prost_reflect::{FieldDescriptor, Kind, MethodDescriptor};

use crate::{Access, options};

/// What kind of work a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// Reads one resource, or answers without reading any.
    Read,
    /// Reads many: a page, or several by their names.
    List,
    /// Opens a stream.
    Watch,
    /// Changes something.
    Write,
    /// Works something out of many: an order, a roadmap, a comparison, a query.
    Analysis,
}

impl CallKind {
    /// All, in the order of their names in settings.
    pub const ALL: [Self; 5] = [Self::Read, Self::List, Self::Watch, Self::Write, Self::Analysis];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Write => "write",
            Self::Analysis => "analysis",
        }
    }

    /// The kind of a method that needs this access.
    pub(crate) fn of(method: &MethodDescriptor, access: Access) -> Self {
        let (name, answer) = (method.name(), method.output());
        if method.is_server_streaming() {
            return Self::Watch;
        }
        if ["List", "BatchGet"].iter().any(|prefix| name.starts_with(prefix)) {
            return Self::List;
        }
        if access == Access::Caller {
            return Self::Read;
        }
        if access > Access::Read {
            return Self::Write;
        }
        let is_resource = options().resource(&answer).is_some();
        let holds_many =
            |field: FieldDescriptor| field.is_list() || field.is_map() || matches!(field.kind(), Kind::Message(_));
        if is_resource || !answer.fields().any(holds_many) { Self::Read } else { Self::Analysis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc_methods;

    fn of(kind: CallKind) -> Vec<&'static str> {
        rpc_methods().filter(|(_, method)| method.kind == kind).map(|(_, method)| &*method.method).collect()
    }

    #[test]
    fn each_kind_is_what_it_says() {
        for (kind, some) in [
            (CallKind::Read, &["GetInitiative", "GetProduct", "GetMetric"][..]),
            (CallKind::List, &["ListInitiatives", "BatchGetInitiatives"]),
            (CallKind::Watch, &["WatchEvents"]),
            (CallKind::Write, &["CreateInitiative", "MergeScenario", "BatchCreateInsights"]),
            (CallKind::Analysis, &["RankInitiatives", "GetRoadmap", "AnalyzeSensitivity"]),
        ] {
            let all = of(kind);
            let missing: Vec<_> = some.iter().filter(|method| !all.contains(method)).collect();
            assert!(missing.is_empty(), "{kind:?} lacks {missing:?}; it has {all:?}");
        }
        let reads = of(CallKind::Read);
        let others = ["EvaluateScore", "WhoAmI"];
        assert!(reads.iter().all(|method| method.starts_with("Get") || others.contains(method)), "{reads:?}");
        assert!(of(CallKind::Write).iter().all(|method| !method.starts_with("Get")), "{:?}", of(CallKind::Write));
    }
}
