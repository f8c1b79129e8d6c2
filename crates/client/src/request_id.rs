//! Gives a request an id when its caller gave none, so that it can be repeated: works on the encoded frame, for any
//! message.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use uuid::Uuid;

/// Length of a gRPC frame's header: one flag byte and four length bytes.
const HEADER: usize = 5;

/// A random id, for requests and for jitter.
#[expect(
    clippy::disallowed_methods,
    reason = "a client's ids must differ from those of all other clients; no test depends on one"
)]
pub(crate) fn fresh() -> Uuid {
    Uuid::new_v4()
}

/// The frame with string field `number` set to a fresh id unless the caller set it; `None` when the frame is not one
/// plain message (compressed or damaged), which then must not be repeated.
pub(crate) fn ensure(frame: &Bytes, number: u32) -> Option<Bytes> {
    let (flag, length) = (*frame.first()?, frame.get(1..HEADER)?);
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let message = frame.get(HEADER..)?;
    if flag != 0 || message.len() != length {
        return None;
    }
    if has_field(message, number)? {
        return Some(frame.clone());
    }
    // Protobuf messages concatenate: appending the field sets it.
    let mut field = Vec::new();
    prost::encoding::string::encode(number, &fresh().to_string(), &mut field);
    let mut extended = BytesMut::with_capacity(frame.len() + field.len());
    extended.put_u8(0);
    extended.put_u32(u32::try_from(length + field.len()).ok()?);
    extended.put_slice(message);
    extended.put_slice(&field);
    Some(extended.freeze())
}

fn has_field(mut message: &[u8], number: u32) -> Option<bool> {
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        if tag == number && wire_type == WireType::LengthDelimited {
            return Some(true);
        }
        skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()?;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use waymark_proto::roadmap::v1::DeleteProductRequest;

    fn frame(message: &DeleteProductRequest) -> Bytes {
        let body = message.encode_to_vec();
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(body.len()).unwrap());
        frame.put_slice(&body);
        frame.freeze()
    }

    fn read(frame: &Bytes) -> DeleteProductRequest {
        assert_eq!(frame.len() - HEADER, u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize);
        DeleteProductRequest::decode(&frame[HEADER..]).unwrap()
    }

    #[test]
    fn sets_an_id_once() {
        let request =
            DeleteProductRequest { name: "workspaces/w/products/p".into(), validate_only: true, ..Default::default() };
        let first = ensure(&frame(&request), 3).unwrap();
        let id = read(&first).request_id;
        assert!(Uuid::parse_str(&id).is_ok());
        assert_eq!(read(&first), DeleteProductRequest { request_id: id, ..request });
        assert_eq!(ensure(&first, 3), Some(first.clone()));
    }

    #[test]
    fn keeps_the_callers_id() {
        let request = DeleteProductRequest { request_id: "mine".into(), ..Default::default() };
        assert_eq!(ensure(&frame(&request), 3), Some(frame(&request)));
    }

    #[test]
    fn leaves_what_it_cannot_read() {
        assert_eq!(ensure(&Bytes::from_static(&[1, 0, 0, 0, 0]), 3), None);
        assert_eq!(ensure(&Bytes::from_static(&[0, 0, 0, 0, 9]), 3), None);
        assert_eq!(ensure(&Bytes::from_static(&[0, 0, 0, 0, 1, 0xff]), 3), None);
    }
}
