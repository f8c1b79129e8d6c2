//! Audiences.

use waymark_domain::roadmap::{Audience, FieldGroup};
use waymark_domain::{Meta, Violations};

use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{meta, set_meta, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Audience> for Audience {
    type Error = Violations;
    fn try_from(message: pb::Audience) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let dates = message.dates().domain();
        let groups = message.groups().enumerate().filter_map(|(index, group)| {
            let field = format!("groups[{index}]");
            let group: FieldGroup = v.nested(&field, group.stated(""))?;
            v.check(&field, group.seen())
        });
        let groups = groups.collect();
        let audience = (|| Some(Self { meta: meta?, description: message.description, groups, dates: dates? }))();
        whole(violations, audience)
    }
}

impl From<&Audience> for pb::Audience {
    fn from(audience: &Audience) -> Self {
        let mut message = Self {
            description: audience.description.clone(),
            groups: audience.groups.iter().map(|group| common::FieldGroup::of(*group)).collect(),
            dates: pb::DatePrecision::of(audience.dates),
            ..Self::default()
        };
        set_meta(&mut message, &audience.meta);
        message
    }
}
