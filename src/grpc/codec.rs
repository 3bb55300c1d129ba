//! The codec of every service: the raw bytes pass the wire check before they are decoded.

use std::marker::PhantomData;

use bytes::{Buf as _, Bytes};
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use super::convert::wire;
use super::status;
use crate::policy::reason::Reason;

/// Encodes as prost does; decodes requests strictly. Answers, which only our own client decodes, are read leniently, so that an older client still
/// understands a newer gateway.
#[derive(Debug, Clone)]
pub struct StrictCodec<E, D>(PhantomData<(E, D)>);

impl<E, D> Default for StrictCodec<E, D> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E, D> Codec for StrictCodec<E, D>
where
    E: Message + Send + 'static,
    D: Message + Name + Default + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = StrictDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        StrictDecoder { full_name: (!D::NAME.ends_with("Response")).then(D::full_name), decoded: PhantomData }
    }
}

/// Decodes one kind of message; see [`StrictCodec`].
#[derive(Debug)]
pub struct StrictDecoder<D> {
    /// The name to check by; `None` for answers.
    full_name: Option<String>,
    decoded: PhantomData<D>,
}

impl<D: Message + Default> Decoder for StrictDecoder<D> {
    type Item = D;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<D>, Status> {
        let bytes = source.copy_to_bytes(source.remaining());
        decode(self.full_name.as_deref(), bytes).map(Some)
    }
}

fn decode<D: Message + Default>(full_name: Option<&str>, bytes: Bytes) -> Result<D, Status> {
    if let Some(full_name) = full_name {
        wire::check(full_name, &bytes).map_err(status::of_wire)?;
    }
    // prost's own words are not passed on: they may quote a field.
    D::decode(bytes).map_err(|_| status::of_reason(Reason::Malformed))
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::grpc::convert::canonical;
    use crate::grpc::pb;

    const REPORT: Option<&str> = Some("samband.v1.NonAttendanceReport");

    #[test]
    fn an_unknown_field_is_refused_before_it_is_dropped() {
        let mut bytes = canonical(&pb::NonAttendanceReport { missed: 1, ..Default::default() });
        bytes.extend([9 << 3, 1]);
        let status = decode::<pb::NonAttendanceReport>(REPORT, bytes.clone().into()).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNKNOWN_FIELD", status::DOMAIN));
        assert_eq!(info.metadata["field_number"], "9");
        assert!(decode::<pb::NonAttendanceReport>(None, bytes.into()).is_ok(), "an answer may know more than its reader");
    }

    #[test]
    fn a_good_message_is_decoded() {
        let message = pb::NonAttendanceReport { missed: 2, ..Default::default() };
        assert_eq!(decode::<pb::NonAttendanceReport>(REPORT, canonical(&message).into()).unwrap(), message);
    }

    #[test]
    fn bytes_that_do_not_decode_get_a_reason_and_no_echo() {
        let status = decode::<pb::NonAttendanceReport>(None, Bytes::from_static(&[0x0a, 5, b'x'])).unwrap_err();
        assert_eq!(status.get_details_error_info().unwrap().reason, "MALFORMED_REQUEST");
        assert!(!status.message().contains('x'));
    }

    #[test]
    fn requests_are_strict_and_answers_are_not() {
        let mut codec = StrictCodec::<pb::Subject, pb::NonAttendanceReport>::default();
        assert_eq!(codec.decoder().full_name.as_deref(), REPORT);
    }
}
