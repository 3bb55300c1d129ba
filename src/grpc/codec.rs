//! The codec of every call: requests pass the strict wire check on their raw bytes before they are decoded.
//!
//! A message whose name ends in `Request` is one by the linter's rule on names; answers are decoded leniently, so that a client keeps working
//! when a newer gateway adds a field.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use super::convert::wire;
use super::status;

/// Encodes with prost; decodes with prost after the wire check.
#[derive(Debug)]
pub struct StrictCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for StrictCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for StrictCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = StrictDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> StrictDecoder<U> {
        StrictDecoder(PhantomData)
    }
}

/// The decoding half of [`StrictCodec`].
#[derive(Debug)]
pub struct StrictDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for StrictDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        if U::NAME.ends_with("Request") {
            wire::check(&U::full_name(), &bytes).map_err(status::of_wire)?;
        }
        // prost's own words are not passed on: they may quote a field.
        U::decode(bytes).map(Some).map_err(|_| status::of_reason(crate::policy::reason::Reason::Malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::pb;

    #[test]
    fn every_request_of_a_call_is_checked_and_no_answer_is() {
        let names = [
            <pb::SendConditionNoticeRequest as Name>::NAME,
            <pb::ReportNonAttendanceRequest as Name>::NAME,
            <pb::SendLabResultRequest as Name>::NAME,
            <pb::ListRecordsRequest as Name>::NAME,
        ];
        assert!(names.iter().all(|name| name.ends_with("Request")));
        assert!(!<pb::MunicipalServiceReceiveResponse as Name>::NAME.ends_with("Request"));
    }
}
