//! The comments of the contract as help texts.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{
    EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use waymark_proto::descriptors;

type Comments = HashMap<(String, Vec<i32>), String>;

static COMMENTS: LazyLock<Comments> = LazyLock::new(|| {
    let mut comments = Comments::new();
    for file in descriptors().files() {
        let proto = file.file_descriptor_proto();
        for location in proto.source_code_info.iter().flat_map(|info| &info.location) {
            if let Some(text) = &location.leading_comments {
                let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
                comments.insert((file.name().to_owned(), location.path.clone()), text.trim().to_owned());
            }
        }
    }
    comments
});

fn find(file: &FileDescriptor, path: &[i32]) -> String {
    COMMENTS.get(&(file.name().to_owned(), path.to_vec())).cloned().unwrap_or_default()
}

/// The comment of a field.
pub fn of_field(field: &FieldDescriptor) -> String {
    find(&field.parent_message().parent_file(), field.path())
}

/// The comment of a method.
pub fn of_method(method: &MethodDescriptor) -> String {
    find(&method.parent_file(), method.path())
}

/// The comment of a message.
pub fn of_message(message: &MessageDescriptor) -> String {
    find(&message.parent_file(), message.path())
}

/// The comment of a service.
pub fn of_service(service: &ServiceDescriptor) -> String {
    find(&service.parent_file(), service.path())
}

/// The comment of a value of an enum.
pub fn of_value(value: &EnumValueDescriptor) -> String {
    find(&value.parent_file(), value.path())
}

/// The first sentence of a comment, for tables of commands.
pub fn first_sentence(comment: &str) -> String {
    let end = comment.find(". ").or_else(|| comment.find(": ").filter(|at| *at > 60));
    comment[..end.unwrap_or(comment.len())].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_found() {
        let product = descriptors().get_message_by_name("waymark.roadmap.v1.Product").unwrap();
        let vision = product.get_field_by_name("vision").unwrap();
        assert!(of_field(&vision).starts_with("What the world looks like"));
        let service = descriptors().get_service_by_name("waymark.roadmap.v1.StrategyService").unwrap();
        let method = service.methods().next().unwrap();
        assert_eq!(first_sentence(&of_method(&method)), "Gets a product");
        assert!(!of_service(&service).is_empty());
    }
}
