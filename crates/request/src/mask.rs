//! Partial updates (AIP-134, AIP-161): which fields of a patch replace those of the current resource.

use pbjson_types::FieldMask;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor};
use waymark_domain::{Failure, FailureKind, Reason, Violation};
use waymark_proto::{ResourceMessage, descriptors, options};

/// Paths of a mask at most: each costs a copy of its field, while others wait for the workspace.
const PATHS: usize = 100;

/// Why a mask cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// No such field.
    #[error("update_mask: {path:?} is not a field of {message}; its fields are {fields}")]
    Unknown {
        /// The path as given.
        path: String,
        /// The message's name.
        message: String,
        /// The fields there are.
        fields: String,
    },
    /// More paths than any resource has fields for.
    #[error("update_mask: has {0} paths, at most {PATHS} are allowed")]
    TooMany(usize),
    /// A field that may only be set on create.
    #[error("update_mask: {0:?} cannot be changed after creation")]
    Immutable(String),
    /// The message is not what its descriptor says.
    #[error("the descriptor of {0} does not fit its type")]
    Descriptor(&'static str),
}

impl Failure for MaskError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unknown { .. } | Self::TooMany(_) | Self::Immutable(_) => FailureKind::Invalid,
            Self::Descriptor(_) => FailureKind::Bug,
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Unknown { .. } | Self::TooMany(_) => Reason::InvalidMask,
            Self::Immutable(_) => Reason::InvalidField,
            Self::Descriptor(_) => Reason::Internal,
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Unknown { .. } | Self::TooMany(_) | Self::Immutable(_) => vec![Violation {
                field: "update_mask".into(),
                description: self.to_string().trim_start_matches("update_mask: ").to_owned(),
            }],
            Self::Descriptor(_) => Vec::new(),
        }
    }
}

/// Whether an update never writes the field: the service does, or it addresses the resource and its version.
fn is_output_only(field: &FieldDescriptor) -> bool {
    matches!(field.name(), "name" | "etag") || options().is_output_only(field)
}

/// The resource after the fields that `mask` names are taken from `patch`.
///
/// No mask: the fields that are set. `*`: all fields. A named field that is unset in the patch is cleared. Output-only
/// fields are ignored, unknown ones refused, immutable ones refused when they differ.
pub fn apply<M: ResourceMessage>(current: &M, patch: &M, mask: Option<&FieldMask>) -> Result<M, MaskError> {
    let descriptor = descriptors().get_message_by_name(M::FULL_NAME).ok_or(MaskError::Descriptor(M::FULL_NAME))?;
    let dynamic = |message: &M| {
        DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice())
            .map_err(|_| MaskError::Descriptor(M::FULL_NAME))
    };
    // Many clients send an empty mask for none.
    let mask = mask.filter(|m| !m.paths.is_empty());
    let (mut result, patch) = (dynamic(current)?, dynamic(patch)?);
    if let Some(mask) = mask.filter(|mask| mask.paths.len() > PATHS) {
        return Err(MaskError::TooMany(mask.paths.len()));
    }
    let paths: Vec<String> = match mask {
        None => patch.fields().map(|(field, _)| field.name().to_owned()).collect(),
        Some(mask) if mask.paths.iter().any(|p| p == "*") => descriptor.fields().map(|f| f.name().to_owned()).collect(),
        Some(mask) => mask.paths.clone(),
    };
    let named = mask.is_some_and(|m| !m.paths.iter().any(|p| p == "*"));
    for path in &paths {
        let parts: Vec<&str> = path.split('.').collect();
        copy(&descriptor, &mut result, &patch, &parts, path, named)?;
    }
    M::decode(result.encode_to_vec().as_slice()).map_err(|_| MaskError::Descriptor(M::FULL_NAME))
}

fn copy(
    descriptor: &MessageDescriptor,
    result: &mut DynamicMessage,
    patch: &DynamicMessage,
    parts: &[&str],
    path: &str,
    named: bool,
) -> Result<(), MaskError> {
    let unknown = || MaskError::Unknown {
        path: path.to_owned(),
        message: descriptor.name().to_owned(),
        fields: descriptor.fields().map(|f| f.name().to_owned()).collect::<Vec<_>>().join(", "),
    };
    let (first, rest) = parts.split_first().ok_or_else(unknown)?;
    let field = descriptor.get_field_by_name(first).ok_or_else(unknown)?;
    if is_output_only(&field) {
        return Ok(());
    }
    if options().is_immutable(&field) {
        let differs = result.get_field(&field) != patch.get_field(&field);
        // Without a named path an unset immutable field means "as it is".
        let changes = differs && (named || patch.has_field(&field));
        return if changes { Err(MaskError::Immutable(path.to_owned())) } else { Ok(()) };
    }
    if rest.is_empty() {
        if patch.has_field(&field) {
            result.set_field(&field, patch.get_field(&field).into_owned());
        } else {
            result.clear_field(&field);
        }
        return Ok(());
    }
    // A path goes into single messages only; lists and maps are replaced whole (AIP-161).
    if field.is_list() || field.is_map() {
        return Err(unknown());
    }
    let inner = field.kind().as_message().cloned().ok_or_else(unknown)?;
    let patched = patch.get_field(&field);
    let patched = patched.as_message().ok_or_else(unknown)?;
    let target = result.get_field_mut(&field).as_message_mut().ok_or(MaskError::Descriptor("nested message"))?;
    copy(&inner, target, patched, rest, path, named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::roadmap::v1::Product;

    fn product() -> Product {
        Product {
            name: "workspaces/a/products/p".into(),
            uid: "u".into(),
            display_name: "P".into(),
            vision: "V".into(),
            ..Product::default()
        }
    }
    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() }
    }

    #[test]
    fn no_mask_takes_what_is_set() {
        let patch = Product { strategy: "S".into(), uid: "other".into(), ..Product::default() };
        let after = apply(&product(), &patch, None).unwrap();
        assert_eq!(after, Product { strategy: "S".into(), ..product() });
    }

    #[test]
    fn a_named_field_that_is_unset_is_cleared_and_star_replaces() {
        let patch = Product { display_name: "Q".into(), ..Product::default() };
        assert_eq!(
            apply(&product(), &patch, Some(&mask(&["vision"]))).unwrap(),
            Product { vision: String::new(), ..product() }
        );
        let after = apply(&product(), &patch, Some(&mask(&["*"]))).unwrap();
        assert_eq!(after, Product { display_name: "Q".into(), vision: String::new(), ..product() });
    }

    #[test]
    fn unknown_paths_are_refused_with_the_fields_there_are() {
        let error = apply(&product(), &product(), Some(&mask(&["colour"]))).unwrap_err();
        assert!(error.to_string().contains("display_name"), "{error}");
        assert!(apply(&product(), &product(), Some(&mask(&["labels.x"]))).is_err());
        assert!(apply(&product(), &product(), Some(&mask(&[""]))).is_err());
        let error = apply(&product(), &product(), Some(&mask(&["vision"; 101]))).unwrap_err();
        assert_eq!((error.reason(), error.violations()[0].field.as_str()), (Reason::InvalidMask, "update_mask"));
    }
}
