//! Resources whose fields say the same in the contract and in the domain, under the same name. What one field says
//! depends on no other; where it does, as with a state and what belongs to it, the conversion is written out.

use std::collections::{BTreeMap, BTreeSet};

use waymark_domain::{FullName, Name, Resource, Violations, WorkspaceId};

use super::shared::sibling;

/// Converts a resource both ways, field by field; an enum is named with its field:
/// `plain!(Product, pb::Product { vision, strategy, lifecycle: pb::ProductLifecycle });`
macro_rules! plain {
    ($resource:ident, $message:ty { $($field:ident $(: $choice:ty)?),+ $(,)? }) => {
        impl TryFrom<$message> for $resource {
            type Error = waymark_domain::Violations;
            fn try_from(message: $message) -> Result<Self, waymark_domain::Violations> {
                let mut violations = waymark_domain::Violations::new();
                let meta: Option<waymark_domain::Meta<Self>> = $crate::convert::meta(&mut violations, &message);
                let workspace = meta.as_ref().map(|meta| meta.name.workspace());
                let mut at = $crate::convert::plain::Reading { workspace, violations: &mut violations };
                $(let $field = $crate::convert::plain!(@read at, message.$field, stringify!($field) $(, $choice)?);)+
                let resource = (|| Some(Self { meta: meta?, $($field: $field?),+ }))();
                $crate::convert::whole(violations, resource)
            }
        }

        impl From<&$resource> for $message {
            fn from(resource: &$resource) -> Self {
                let mut message = Self {
                    $($field: $crate::convert::plain!(@write resource.$field $(, $choice)?),)+
                    ..Self::default()
                };
                $crate::convert::set_meta(&mut message, &resource.meta);
                message
            }
        }
    };
    (@read $at:ident, $value:expr, $field:expr) => {
        $crate::convert::plain::Field::read($value, $field, &mut $at)
    };
    (@read $at:ident, $value:expr, $field:expr, $choice:ty) => {
        $crate::Choice::domain(<$choice>::try_from($value).unwrap_or_default())
    };
    (@write $value:expr) => {
        $crate::convert::plain::Field::write(&$value)
    };
    (@write $value:expr, $choice:ty) => {
        <$choice as $crate::Choice>::of($value)
    };
}
pub(super) use plain;

/// Where a field is read: what is wrong is noted, and names are of this workspace.
pub(super) struct Reading<'a> {
    pub(super) workspace: Option<&'a WorkspaceId>,
    pub(super) violations: &'a mut Violations,
}

/// What the domain has for a field that holds an `M`.
pub(super) trait Field<M>: Sized {
    fn read(value: M, field: &str, at: &mut Reading<'_>) -> Option<Self>;
    fn write(&self) -> M;
}

/// What the domain has for a message within a resource.
pub(super) trait Part: TryFrom<Self::Message, Error = Violations> {
    type Message: for<'a> From<&'a Self>;
}

impl Field<Self> for String {
    fn read(value: Self, _: &str, _: &mut Reading<'_>) -> Option<Self> {
        Some(value)
    }
    fn write(&self) -> Self {
        self.clone()
    }
}

impl Field<Self> for i64 {
    fn read(value: Self, _: &str, _: &mut Reading<'_>) -> Option<Self> {
        Some(value)
    }
    fn write(&self) -> Self {
        *self
    }
}

impl Field<Self> for BTreeMap<String, String> {
    fn read(value: Self, _: &str, _: &mut Reading<'_>) -> Option<Self> {
        Some(value)
    }
    fn write(&self) -> Self {
        self.clone()
    }
}

impl<T: Resource> Field<String> for Option<Name<T>> {
    fn read(value: String, field: &str, at: &mut Reading<'_>) -> Option<Self> {
        if value.is_empty() { Some(None) } else { sibling(at.violations, field, at.workspace, &value).map(Some) }
    }
    fn write(&self) -> String {
        self.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl Field<String> for Option<FullName> {
    fn read(value: String, field: &str, at: &mut Reading<'_>) -> Option<Self> {
        if value.is_empty() { Some(None) } else { at.violations.check(field, value.parse()).map(Some) }
    }
    fn write(&self) -> String {
        self.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl<T: Resource> Field<Vec<String>> for BTreeSet<Name<T>> {
    fn read(values: Vec<String>, field: &str, at: &mut Reading<'_>) -> Option<Self> {
        let named =
            |(index, name): (usize, &String)| sibling(at.violations, &format!("{field}[{index}]"), at.workspace, name);
        // All are read, so that each wrong one is told.
        let names: Vec<_> = values.iter().enumerate().map(named).collect();
        names.into_iter().collect()
    }
    fn write(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

/// One that must be set, which the contract says and checks.
impl<T: Part> Field<Option<T::Message>> for T {
    fn read(value: Option<T::Message>, field: &str, at: &mut Reading<'_>) -> Option<Self> {
        at.violations.nested(field, value?.try_into())
    }
    fn write(&self) -> Option<T::Message> {
        Some(self.into())
    }
}

impl<T: Part> Field<Option<T::Message>> for Option<T> {
    fn read(value: Option<T::Message>, field: &str, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            Some(value) => at.violations.nested(field, value.try_into()).map(Some),
            None => Some(None),
        }
    }
    fn write(&self) -> Option<T::Message> {
        self.as_ref().map(Into::into)
    }
}
