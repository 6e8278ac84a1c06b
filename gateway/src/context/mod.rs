//! What travels through the gateway: from the client's request to the upstream call and back.
//!
//! Between the three lives (client request, RPC, upstream call) there are only [`Call`] and [`Reply`], and both
//! hold protobuf wire bytes. What happened on the way is written into the [`Journey`], which `monitoring` reads
//! when the exchange ends; what a failure means to the client is a [`Verdict`].

mod call;
mod deadline;
mod failure;
mod journey;
mod principal;
mod request_id;
mod standing;
mod stream;
mod verdict;

pub(crate) use call::{Call, Messages, Reply, RpcId};
pub(crate) use deadline::Deadline;
pub(crate) use failure::{Cut, Failure};
pub(crate) use journey::{CallRecord, Denial, Journey, Step, Then, Try};
pub(crate) use principal::{Identity, Principal};
pub(crate) use request_id::RequestId;
pub(crate) use standing::{Allowance, Counted, Standing, seconds};
pub(crate) use stream::{StreamFailure, StreamRecord};
pub(crate) use verdict::{Origin, Verdict, code_name};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Any error, where only its text is of use.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer on its way to a client.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
