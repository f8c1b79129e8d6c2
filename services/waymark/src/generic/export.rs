//! Answers with a list as rows for other programs, all pages of them: `--output csv`, `jsonl` and `parquet`.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use waymark_client::Channel;

use super::call;
use super::contract::Method;
use super::output::rows::{Form, Writer};
use crate::Usage;
use crate::stdout::Out;

/// Rows asked for at once; the service's own limit.
pub const PAGE: usize = 1000;

/// The list that the answers of a method have: the first field that repeats a message.
pub fn list(method: &Method) -> Option<FieldDescriptor> {
    let is_list = |field: &FieldDescriptor| field.is_list() && matches!(field.kind(), Kind::Message(_));
    method.descriptor.output().fields().find(is_list)
}

/// Writes the rows of all pages to standard output, at most `limit`.
pub async fn run(
    channel: &Channel,
    method: &Method,
    mut request: DynamicMessage,
    form: Form,
    limit: usize,
) -> Result<()> {
    let Some(list) = list(method) else { bail!(Usage("the answer has no list to be written as rows".to_owned())) };
    if form == Form::Parquet && std::io::stdout().is_terminal() {
        bail!(Usage("Parquet is not for terminals: write it to a file by > FILE.parquet".to_owned()));
    }
    let Kind::Message(of) = list.kind() else { bail!("{} repeats no message", list.full_name()) };
    let mut writer = Writer::new(form, &of, Out)?;
    let chosen = request.get_field_by_name("page_size").and_then(|size| size.as_i32()).unwrap_or_default();
    let mut left = limit;
    loop {
        if let Some(size) = request.descriptor().get_field_by_name("page_size").filter(|_| chosen == 0) {
            // At most PAGE, which fits.
            request.set_field(&size, Value::I32(PAGE.min(left) as i32));
        }
        let answer = call::unary(channel, method, request.clone()).await?;
        let page = answer.get_field(&list);
        let items: Vec<&DynamicMessage> =
            page.as_list().into_iter().flatten().filter_map(Value::as_message).take(left).collect();
        writer.write(&items)?;
        left -= items.len();
        let token = answer.get_field_by_name("next_page_token").and_then(|token| token.as_str().map(str::to_owned));
        let Some(token) = token.filter(|token| !token.is_empty() && left > 0) else { break };
        request.set_field_by_name("page_token", Value::String(token));
    }
    writer.finish()
}
