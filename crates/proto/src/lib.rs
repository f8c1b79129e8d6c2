//! The wire: generated messages and services, their canonical JSON, the descriptor set and every conversion to and from
//! the domain.
//!
//! Conversions live here because neither a service nor the domain may implement a foreign trait for a foreign type.
//! This crate holds no rule: what a value may be is said by the domain's constructors.

pub mod aim;
pub mod check;
pub mod choice;
pub mod convert;
pub mod event;
pub mod kind;
pub mod links;
pub mod merge;
pub mod methods;
pub mod number;
pub mod options;
pub mod resource;
pub mod sight;
pub mod standard;
pub mod timestamp;

pub use aim::{Aim, Aimless, Target};
pub use check::{Check, check, parse};
pub use choice::Choice;
pub use kind::CallKind;
pub use methods::{Access, RpcMethod, rpc_method, rpc_methods};
pub use resource::{ResourceMessage, Standard};
pub use sight::Sight;
pub use standard::Mutation;
pub use timestamp::Timestamp;

/// The compiled contract (`google.protobuf.FileDescriptorSet`) with comments and options.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));

/// The contract as descriptors that can be asked; decoded once.
pub fn descriptors() -> &'static prost_reflect::DescriptorPool {
    static POOL: std::sync::LazyLock<prost_reflect::DescriptorPool> = std::sync::LazyLock::new(|| {
        // The bytes are this build's own output; the test `descriptor_set_decodes` holds it.
        prost_reflect::DescriptorPool::decode(DESCRIPTOR_SET).unwrap_or_default()
    });
    &POOL
}

/// The contract's options, as [`descriptors`] have them.
pub fn options() -> &'static options::Options {
    static OPTIONS: std::sync::LazyLock<options::Options> = std::sync::LazyLock::new(|| {
        // The build script found them in the same descriptors.
        options::Options::find(descriptors()).unwrap_or_else(|| unreachable!("the contract declares its options"))
    });
    &OPTIONS
}

macro_rules! package {
    ($area:ident, $name:literal, $doc:literal) => {
        #[doc = $doc]
        pub mod $area {
            #[doc = $doc]
            #[allow(
                missing_docs,
                clippy::all,
                clippy::pedantic,
                clippy::restriction,
                reason = "generated; the comments are the protos'"
            )]
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
                include!(concat!(env!("OUT_DIR"), "/", $name, ".serde.rs"));
            }
        }
    };
}
package!(common, "waymark.common.v1", "`waymark.common.v1`: what every service uses.");
package!(access, "waymark.access.v1", "`waymark.access.v1`: who calls.");
package!(graph, "waymark.graph.v1", "`waymark.graph.v1`: what refers to what.");
package!(discovery, "waymark.discovery.v1", "`waymark.discovery.v1`: what users need.");
package!(roadmap, "waymark.roadmap.v1", "`waymark.roadmap.v1`: what is built and what is not.");
package!(metrics, "waymark.metrics.v1", "`waymark.metrics.v1`: whether it worked.");

/// `waymark.events.v1`: the log.
pub mod events {
    /// `waymark.events.v1`: the log.
    #[allow(
        missing_docs,
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        reason = "generated; the comments are the protos'"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/waymark.events.v1.rs"));
    }
}

#[allow(clippy::all, clippy::pedantic, reason = "generated")]
mod derived {
    include!(concat!(env!("OUT_DIR"), "/derived.rs"));
}

#[cfg(test)]
mod tests {
    #[test]
    fn descriptor_set_decodes() {
        assert!(super::descriptors().get_message_by_name("waymark.common.v1.Evidence").is_some());
    }

    #[test]
    fn the_domain_and_the_contract_have_the_same_reasons() {
        let reasons = super::descriptors().get_enum_by_name("waymark.common.v1.ErrorReason").unwrap();
        let stated: Vec<_> = reasons.values().map(|value| value.name().to_owned()).collect();
        let known = waymark_domain::Reason::ALL.iter().map(|reason| format!("ERROR_REASON_{reason}"));
        let expected: Vec<_> = std::iter::once("ERROR_REASON_UNSPECIFIED".to_owned()).chain(known).collect();
        assert_eq!(stated, expected);
    }
}
